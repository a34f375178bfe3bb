#include "cli/cli.h"
#include "core/manager.h"
#include "core/process.h"

int main(int argc, char **argv, char **environment)
{
    process_begin();
    manager_begin();
    return (int)cli_run(argc, argv, environment);
}
