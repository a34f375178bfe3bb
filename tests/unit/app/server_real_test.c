/* The server on the real machine: what the service manager passes to it and hears, what is read anew, how it ends, and what it says
 * where it can't start. Each server lives in a process of its own, as one does. */
#include "app/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/manager.h"
#include "core/process.h"
#include "support/identity.h"

enum { WORDS_MAX = 32, TEXT_SIZE = 65536, PATIENCE_MS = 20000, PASSED_FIRST = 3 };

#define COUNT(table) (sizeof table / sizeof table[0])

static char folder[] = "/tmp/penstock-server-XXXXXX", all_heard[TEXT_SIZE];
static char *environment[WORDS_MAX];
static int notified = -1;

/* In the child: what is not so ends it. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void in_child(void (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run();
        exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static char *path_of(const char *name)
{
    char *path = NULL;
    REQUIRE(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0);
    free(path);
}

static const char *read_file(const char *name)
{
    static char text[TEXT_SIZE];
    char *path = path_of(name);
    FILE *file = fopen(path, "re");
    free(path);
    text[0] = '\0';
    if (file == NULL)
        return text;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* ---- settings ---- */

/* Words with blanks between them; `@` stands for the folder. */
static bool load(const char *line, struct settings *settings, struct error *error)
{
    static char *argv[WORDS_MAX + 1], words[WORDS_MAX][512];
    struct span text = span_of(line), word;
    int argc = 1;
    argv[0] = words[0];
    while (span_next(&text, ' ', &word)) {
        bool is_here = memchr(word.at, '@', word.length) != NULL;
        size_t before = is_here ? (size_t)((const char *)memchr(word.at, '@', word.length) - word.at) : word.length;
        int left = is_here ? (int)(word.length - before - 1) : 0;
        snprintf(words[argc], sizeof words[0], "%.*s%s%.*s", (int)before, word.at, is_here ? folder : "", left,
                 is_here ? word.at + before + 1 : "");
        argv[argc] = words[argc];
        argc++;
    }
    argv[argc] = NULL;
    return settings_load(argc, argv, environment, settings, error);
}

static void serve(const char *line)
{
    static struct settings settings;
    struct error error = {0};
    if (!load(line, &settings, &error) || !server_run(&settings, &error)) {
        fprintf(stderr, "%s\n", error.detail);
        _exit(1);
    }
    settings_free(&settings);
}

/* ---- whoever is outside ---- */

static struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = path_of(name);
    REQUIRE(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    free(path);
    return address;
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = address_of(name);
    for (int waited = 0; waited < PATIENCE_MS; waited += 5) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
        rest();
    }
    const bool is_there_in_time = false;
    REQUIRE(is_there_in_time);
    return -1;
}

/* The status of the answer. */
static int ask(const char *name, const char *request)
{
    char answer[TEXT_SIZE];
    int fd = connect_to(name), status = 0;
    size_t length = 0;
    REQUIRE(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    for (ssize_t got; (got = read(fd, answer + length, sizeof answer - 1 - length)) > 0;)
        length += (size_t)got;
    close(fd);
    answer[length] = '\0';
    REQUIRE(sscanf(answer, "HTTP/1.1 %d", &status) == 1);
    return status;
}

/* Until the log has the event. */
static void wait_for(const char *event)
{
    char expected[64];
    snprintf(expected, sizeof expected, "\"event\":\"%s\"", event);
    for (int waited = 0; strstr(read_file("log"), expected) == NULL; waited += 5) {
        REQUIRE(waited < PATIENCE_MS);
        rest();
    }
}

static void hear_all(void)
{
    size_t length = strlen(all_heard);
    for (ssize_t got; (got = recv(notified, all_heard + length, sizeof all_heard - 1 - length, MSG_DONTWAIT)) > 0;)
        length += (size_t)got;
    all_heard[length] = '\0';
}

static void wait_to_hear(const char *words)
{
    for (int waited = 0; strstr(all_heard, words) == NULL; waited += 5) {
        REQUIRE(waited < PATIENCE_MS);
        rest();
        hear_all();
    }
}

static void (*driven)(void);

static void *drive(void *unused)
{
    driven();
    return unused;
}

/* Serves while somebody does this, who ends it. */
static void serve_and(const char *line, void (*run)(void))
{
    pthread_t driver;
    char *log = path_of("log"); /* of the server before */
    REQUIRE(unlink(log) == 0 || errno == ENOENT);
    free(log);
    driven = run;
    sigset_t all;
    sigfillset(&all); /* signals are the server's */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    REQUIRE(pthread_create(&driver, NULL, drive, NULL) == 0);
    sigemptyset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    serve(line);
    REQUIRE(pthread_join(driver, NULL) == 0);
}

static void be_managed(void)
{
    struct sockaddr_un address = address_of("notify");
    notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(notified, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(setenv("NOTIFY_SOCKET", address.sun_path, 1) == 0 && setenv("WATCHDOG_USEC", "200000", 1) == 0);
    process_begin();
    manager_begin();
}

#define SOCKETS                                                                                                        \
    " --listen unix:@/public --admin-listen unix:@/admin --data-dir @/data --min-free 0 --threads 2 --log-file @/log"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

/* ---- read anew ---- */

static void reload_in_all_ways(void)
{
    wait_to_hear("READY=1\nSTATUS=Uploads go to ");
    wait_to_hear("WATCHDOG=1");
    REQUIRE(ask("admin", GET("/readyz")) == 200);
    wait_for("token_file_exposed");
    wait_for("key_exposed");
    wait_for("certificate_ends");
    write_file("conf", "log-level = debug\ndurable = no\n", 0600);
    kill(getpid(), SIGHUP);
    wait_for("reload_incomplete");
    wait_to_hear("RELOADING=1");
    write_file("conf", "log-level = loud\n", 0600);
    kill(getpid(), SIGHUP);
    wait_for("reload_failed");
    kill(getpid(), SIGTERM);
    wait_to_hear("STOPPING=1");
}

static void life(void)
{
    static struct identity identity;
    identity_make(&identity);
    write_file("conf", "", 0600);
    write_file("tokens", "", 0644);
    write_file("cert", identity.certificate, 0644);
    write_file("key", identity.key, 0644);
    be_managed();
    serve_and("--config @/conf --token-file @/tokens --tls-cert @/cert --tls-key @/key" SOCKETS, reload_in_all_ways);
    REQUIRE(strstr(read_file("log"), "\"event\":\"ended\"") != NULL);
}

static void the_manager_hears_of_its_life_and_the_settings_are_read_anew(void **state)
{
    in_child(life);
}

static void change_what_can_not_change(void)
{
    REQUIRE(ask("admin", GET("/healthz")) == 200);
    write_file("conf", "tls-cert = /nowhere\n", 0600);
    kill(getpid(), SIGHUP);
    wait_for("reload_failed");
    char *log = path_of("log");
    REQUIRE(unlink(log) == 0 && mkdir(log, 0700) == 0);
    write_file("conf", "", 0600);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGHUP);
    REQUIRE(ask("public", GET("/readyz")) == 200);
    REQUIRE(rmdir(log) == 0);
    free(log);
    kill(getpid(), SIGTERM);
}

static void life_without_its_log(void)
{
    write_file("conf", "", 0600);
    process_begin();
    serve_and("--config @/conf" SOCKETS, change_what_can_not_change);
}

static void what_is_wrong_changes_nothing(void **state)
{
    in_child(life_without_its_log);
}

/* ---- the end ---- */

static void end_twice(void)
{
    static const char begun[] = "PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc";
    char answer[512] = "";
    int fd = connect_to("public");
    REQUIRE(write(fd, begun, sizeof begun - 1) == sizeof begun - 1);
    while (ask("admin", GET("/api/handles")) != 200)
        rest();
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    kill(getpid(), SIGTERM);
    wait_for("draining");
    REQUIRE(ask("admin", GET("/readyz")) == 503);
    kill(getpid(), SIGTERM);
    while (read(fd, answer, sizeof answer) > 0)
        ;
    close(fd);
}

static void life_that_is_cut_short(void)
{
    process_begin();
    serve_and("--drain-timeout 1m" SOCKETS, end_twice);
    REQUIRE(strstr(read_file("log"), "\"event\":\"drain_aborted\"") != NULL);
}

static void a_second_signal_ends_what_is_under_way(void **state)
{
    in_child(life_that_is_cut_short);
}

/* ---- sockets that are passed ---- */

static int listen_at(const char *name)
{
    struct sockaddr_un address = address_of(name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    return fd;
}

/* Puts them where they are passed. */
static void pass(int *fds, int count, const char *names)
{
    char text[16];
    for (int i = 0; i < count; i++)
        fds[i] = fcntl(fds[i], F_DUPFD, PASSED_FIRST + 2 * count);
    for (int i = 0; i < count; i++)
        REQUIRE(dup2(fds[i], PASSED_FIRST + i) >= 0);
    snprintf(text, sizeof text, "%d", count);
    REQUIRE(setenv("LISTEN_FDS", text, 1) == 0 && setenv("LISTEN_FDNAMES", names, 1) == 0);
    snprintf(text, sizeof text, "%d", (int)getpid());
    REQUIRE(setenv("LISTEN_PID", text, 1) == 0);
    process_begin();
    manager_begin();
}

static void use_passed(void)
{
    REQUIRE(ask("passed",
                "PUT /files/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nb") == 201);
    REQUIRE(ask("passed-admin", GET("/healthz")) == 200);
    kill(getpid(), SIGTERM);
}

static void life_on_passed_sockets(void)
{
    int fds[] = {listen_at("passed"), listen_at("passed-admin")};
    pass(fds, 2, "upload:admin");
    serve_and("--drain-delay 0s" SOCKETS, use_passed);
}

static void sockets_that_are_passed_take_the_place_of_addresses(void **state)
{
    in_child(life_on_passed_sockets);
}

/* One sentence of what was wrong. */
static void refuse(const char *line, const char *why)
{
    struct settings settings;
    struct error error = {0};
    bool is_fine = load(line, &settings, &error);
    if (is_fine) {
        is_fine = server_check(&settings, &error);
        settings_free(&settings);
    }
    if (is_fine || strstr(error.detail, why) == NULL) {
        fprintf(stderr, "%s: %s\n", line, is_fine ? "was taken" : error.detail);
        _exit(1);
    }
}

static void refuse_two_admins(void)
{
    int fds[] = {listen_at("one"), listen_at("two")};
    pass(fds, 2, "admin:admin");
    refuse("--allow-anonymous yes" SOCKETS, "there is another one named `admin`");
}

static void refuse_a_file(void)
{
    int fds[] = {open("/dev/null", O_RDONLY)};
    pass(fds, 1, "upload");
    refuse("--allow-anonymous yes" SOCKETS, "does not listen for streams");
}

static void refuse_the_world(void)
{
    struct sockaddr_storage any = {.ss_family = AF_INET}; /* 0.0.0.0, any port */
    int fds[] = {socket(AF_INET, SOCK_STREAM, 0)};
    REQUIRE(bind(fds[0], (struct sockaddr *)&any, 16) == 0 && listen(fds[0], 1) == 0);
    pass(fds, 1, "upload");
    refuse("--threads 1" SOCKETS, "is not loopback");
}

static void sockets_that_can_not_be_used_are_refused(void **state)
{
    in_child(refuse_two_admins);
    in_child(refuse_a_file);
    in_child(refuse_the_world);
}

/* ---- what can't start ---- */

static void refuse_all(void)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"--data-dir @/no/such --listen unix:@/s --admin-listen off", "its parent folder is missing"},
        {"--data-dir @/file --listen unix:@/s --admin-listen off", "can't be opened"},
        {"--data-dir @/later --listen unix:@/s --admin-listen off", "a newer penstock has used it"},
        {"--data-dir @/d --store file://@ --listen unix:@/s --admin-listen off", "it lies in the store's folder"},
        {"--data-dir @/d --store file://@/no/such --listen unix:@/s --admin-listen off", "store"},
        {"--data-dir @/d --memory-limit 8MiB --max-connections 5000 --threads 1 --listen unix:@/s",
         "--memory-limit is `8MiB`, but must be at least"},
        {"--data-dir @/d --memory-limit 16MiB --max-connections 100 --max-form-fields-size 15MiB --threads 1 --listen "
         "unix:@/s",
         "--max-form-fields-size is `15MiB`, but must be at most"},
        {"--data-dir @/d --listen unix:@/no/s --admin-listen off", "the socket's folder is missing"},
        {"--data-dir @/d --listen unix:@/s --listen unix:@/s --admin-listen off", "is there twice"},
        {"--data-dir @/d --listen unix:@/s --admin-listen unix:@/s", "is there twice"},
        {"--data-dir @/d --allow-anonymous --listen 192.0.2.1:80 --admin-listen off",
         "this machine has no such address"},
        {"--data-dir @/d --allow-anonymous --listen no.such.invalid:80 --admin-listen off", "no address is known"},
        {"--data-dir @/d --listen unix:@/taken --admin-listen off", "already in use"},
    };
    process_begin();
    write_file("file", "", 0600);
    REQUIRE(listen_at("taken") >= 0);
    char *later = path_of("later"), *format = path_of("later/format-9");
    REQUIRE(mkdir(later, 0700) == 0 && mkdir(format, 0700) == 0);
    for (size_t i = 0; i < COUNT(cases); i++)
        refuse(cases[i].line, cases[i].why);
    free(later);
    free(format);
}

static void what_can_not_start_says_why(void **state)
{
    in_child(refuse_all);
}

static void lock_its_folder(void)
{
    struct settings settings;
    struct error error = {0};
    struct server *server;
    process_begin();
    REQUIRE(load("--data-dir @/data --listen unix:@/s --admin-listen off", &settings, &error));
    REQUIRE(server_open(&settings, &server, &error));
    refuse("--data-dir @/data --listen unix:@/t --admin-listen off", "in use by another penstock");
    server_close(&server);
    REQUIRE(server_check(&settings, &error));
    settings_free(&settings);
}

static void a_data_folder_is_one_server_s(void **state)
{
    in_child(lock_its_folder);
}

/* As root no number of descriptors is too many for a limit to be lowered to. */
static void have_few_descriptors(void)
{
    struct settings settings;
    struct error error = {0};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){256, 256}) == 0);
    process_begin();
    REQUIRE(load("--log-file @/few --max-connections 10000 --data-dir @/data --listen unix:@/s --admin-listen off",
                 &settings, &error));
    REQUIRE(settings_open_log(&settings, &error) && server_check(&settings, &error));
    settings_free(&settings);
}

static void fewer_connections_are_told(void **state)
{
    in_child(have_few_descriptors);
}

static int set_up(void **state)
{
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_hears_of_its_life_and_the_settings_are_read_anew),
        cmocka_unit_test(what_is_wrong_changes_nothing),
        cmocka_unit_test(a_second_signal_ends_what_is_under_way),
        cmocka_unit_test(sockets_that_are_passed_take_the_place_of_addresses),
        cmocka_unit_test(sockets_that_can_not_be_used_are_refused),
        cmocka_unit_test(what_can_not_start_says_why),
        cmocka_unit_test(a_data_folder_is_one_server_s),
        cmocka_unit_test(fewer_connections_are_told),
    };
    return cmocka_run_group_tests_name("app/server", tests, set_up, tear_down);
}
