/* One value of a setting, from text and back. */
#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    enum setting_id id;
    const char *text;
    const char *printed; /* NULL: not allowed */
} cases[] = {
    {SETTING_memory_limit, "8MiB", "8MiB"},
    {SETTING_memory_limit, "67108864", "64MiB"},
    {SETTING_memory_limit, "1.5gib", "1536MiB"},
    {SETTING_memory_limit, "8388607", NULL},
    {SETTING_memory_limit, "64MB", NULL},
    {SETTING_memory_limit, "-1", NULL},
    {SETTING_memory_limit, "", NULL},
    {SETTING_min_free, "0", "0B"},
    {SETTING_max_file_size, "0", NULL},
    {SETTING_threads, "1", "1"},
    {SETTING_threads, "256", "256"},
    {SETTING_threads, "0", NULL},
    {SETTING_threads, "257", NULL},
    {SETTING_threads, "1.5", NULL},
    {SETTING_threads, "+1", NULL},
    {SETTING_idle_timeout, "1500ms", "1500ms"},
    {SETTING_idle_timeout, "24h", "24h"},
    {SETTING_idle_timeout, "25h", NULL},
    {SETTING_idle_timeout, "0", NULL},
    {SETTING_idle_timeout, "75", NULL},
    {SETTING_drain_delay, "0", "0s"},
    {SETTING_durable, "yes", "yes"},
    {SETTING_durable, "No", "no"},
    {SETTING_durable, "true", "yes"},
    {SETTING_durable, "false", "no"},
    {SETTING_durable, "on", "yes"},
    {SETTING_durable, "off", "no"},
    {SETTING_durable, "1", "yes"},
    {SETTING_durable, "0", "no"},
    {SETTING_durable, "y", NULL},
    {SETTING_durable, "", NULL},
    {SETTING_log_level, "warn", "warn"},
    {SETTING_log_level, "warning", NULL},
    {SETTING_log_level, "", NULL},
    {SETTING_log_format, "json", "json"},
    {SETTING_data_dir, "/srv/up loads", "/srv/up loads"},
    {SETTING_data_dir, "", NULL},
    {SETTING_data_dir, "a\nb", NULL},
    {SETTING_data_dir, "\xFF", NULL},
    {SETTING_store, "null:", "null:"},
    {SETTING_store, "file:///srv/uploads", "file:///srv/uploads"},
    {SETTING_store, "/srv/uploads", NULL},
    {SETTING_store, "", NULL},
    {SETTING_admin_listen, "off", "off"},
    {SETTING_admin_listen, "127.0.0.1:0", "127.0.0.1:0"},
    {SETTING_admin_listen, "no", NULL},
    {SETTING_listen, "unix:/run/a", "unix:/run/a"},
    {SETTING_listen, "off", NULL},
    {SETTING_cors_origin, "https://app.example", "https://app.example"},
    {SETTING_cors_origin, "HTTP://[::1]:3000", "HTTP://[::1]:3000"},
    {SETTING_cors_origin, "capacitor://localhost", "capacitor://localhost"},
    {SETTING_cors_origin, "*", "*"},
    {SETTING_cors_origin, "https://app.example/", NULL},
    {SETTING_cors_origin, "https://*.example", NULL},
    {SETTING_cors_origin, "app.example", NULL},
    {SETTING_cors_origin, "null", NULL},
    {SETTING_cors_origin, "", NULL},
    {SETTING_trusted_proxy, "10.0.0.0/8", "10.0.0.0/8"},
    {SETTING_trusted_proxy, "unix", "unix"},
    {SETTING_trusted_proxy, "10.0.0.1/8", NULL},
    {SETTING_trusted_proxy, "proxy.example", NULL},
    {SETTING_public_url, "https://files.example/up", "https://files.example/up"},
    {SETTING_public_url, "files.example", NULL},
    {SETTING_public_url, "https://files.example/?a", NULL},
};

static void a_value_is_read_as_its_kind_and_written_back(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct setting *setting = &setting_table[cases[i].id];
        struct settings settings = {0};
        char printed[128] = "";
        bool is_read = value_read(setting, cases[i].text, &settings);
        if (is_read != (cases[i].printed != NULL))
            fail_msg("%s `%s` should%s be allowed", setting->name, cases[i].text, is_read ? " not" : "");
        if (!is_read)
            continue;
        FILE *to = fmemopen(printed, sizeof printed, "w");
        assert_int_equal(value_print(setting, &settings, to), strlen(cases[i].printed));
        fclose(to);
        assert_string_equal(printed, cases[i].printed);
    }
}

static void a_list_takes_items_until_it_is_full(void **state)
{
    struct settings settings = {0};
    for (unsigned i = 0; i < SETTING_LIST_MAX; i++)
        assert_true(value_read(&setting_table[SETTING_listen], "127.0.0.1:0", &settings));
    assert_false(value_read(&setting_table[SETTING_listen], "127.0.0.1:0", &settings));
    assert_int_equal(settings.listen.count, SETTING_LIST_MAX);
}

static const struct {
    enum setting_id id;
    const char *words;
} allowed[] = {
    {SETTING_memory_limit, "a size such as 1536KiB or 64MiB, at least 8MiB"},
    {SETTING_min_free, "a size such as 1536KiB or 64MiB"},
    {SETTING_threads, "a whole number, from 1 to 256"},
    {SETTING_linger_timeout, "a time such as 250ms, 15s, 5m or 1h, from 0s to 1h"},
    {SETTING_durable, "yes or no"},
    {SETTING_log_level, "debug, info, warn, error or off"},
    {SETTING_listen, "HOST:PORT, [IPV6]:PORT or unix:/path"},
    {SETTING_cors_origin, "SCHEME://HOST or SCHEME://HOST:PORT, such as https://app.example, or * for every site"},
    {SETTING_trusted_proxy,
     "an address such as 10.0.0.5, a network such as 10.0.0.0/8 (no bit set behind the 8), or unix"},
    {SETTING_public_url, "http://HOST or https://HOST, perhaps with a port and a path"},
};

static void what_is_allowed_is_said_in_words(void **state)
{
    char words[VALUE_ALLOWED_SIZE];
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        value_allowed(&setting_table[allowed[i].id], words);
        assert_string_equal(words, allowed[i].words);
    }
}

/* The order of the choices is that of the enums in core/log.h. */
static void choices_stand_in_the_order_of_their_enum(void **state)
{
    assert_int_equal(value_choice(&setting_table[SETTING_log_level], span_of("debug")), LOG_DEBUG);
    assert_int_equal(value_choice(&setting_table[SETTING_log_level], span_of("INFO")), LOG_INFO);
    assert_int_equal(value_choice(&setting_table[SETTING_log_level], span_of("warn")), LOG_WARN);
    assert_int_equal(value_choice(&setting_table[SETTING_log_level], span_of("error")), LOG_ERROR);
    assert_int_equal(value_choice(&setting_table[SETTING_log_level], span_of("off")), LOG_OFF);
    assert_int_equal(value_choice(&setting_table[SETTING_log_format], span_of("auto")), LOG_FORMAT_AUTO);
    assert_int_equal(value_choice(&setting_table[SETTING_log_format], span_of("text")), LOG_FORMAT_TEXT);
    assert_int_equal(value_choice(&setting_table[SETTING_log_format], span_of("json")), LOG_FORMAT_JSON);
}

/* A default that could not be written by a user would only fail at start. */
static void every_default_is_allowed(void **state)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct settings settings = {0};
        if (setting_table[i].initial != NULL)
            assert_true(value_read(&setting_table[i], setting_table[i].initial, &settings));
        assert_true(strlen(setting_table[i].name) + sizeof SETTING_VARIABLE_PREFIX <= SETTING_VARIABLE_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_read_as_its_kind_and_written_back),
        cmocka_unit_test(a_list_takes_items_until_it_is_full),
        cmocka_unit_test(what_is_allowed_is_said_in_words),
        cmocka_unit_test(choices_stand_in_the_order_of_their_enum),
        cmocka_unit_test(every_default_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
