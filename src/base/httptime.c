/* Dates, by arithmetic alone: the C library's functions know locales and time zones. */
#include "base/httptime.h"

enum { DAY = 24 * 60 * 60 };

static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct moment {
    int64_t year;
    int64_t month; /* 1 to 12 */
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
};

/* Days since 1970 of the proleptic Gregorian calendar. A year begins in March here, so that the leap day is its last;
 * an era has 400 years, 146,097 days; 719,468 days lie between March 1st of the year 0 and 1970. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    if (month <= 2)
        year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t seconds_of(const struct moment *moment)
{
    return days_of(moment->year, moment->month, moment->day) * DAY + moment->hour * 3600 + moment->minute * 60 +
           moment->second;
}

/* The way back, for the years 0 to 9999; others are held at that border. */
static struct moment moment_of(int64_t seconds)
{
    const int64_t least = days_of(0, 1, 1) * DAY;
    const int64_t most = days_of(10000, 1, 1) * DAY - 1;
    seconds = seconds < least ? least : seconds > most ? most : seconds;

    int64_t days = (seconds - least) / DAY + days_of(0, 1, 1) + 719468 + 146097; /* an era earlier, so never negative */
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t rest = (seconds - least) % DAY;

    struct moment moment = {
        .year = year_of_era + (era - 1) * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
    };
    return moment;
}

static char *put_text(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

static char *put_number(char *out, int64_t number, size_t digits)
{
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + digits;
}

static char *put_clock(char *out, const struct moment *moment)
{
    out = put_number(out, moment->hour, 2);
    *out++ = ':';
    out = put_number(out, moment->minute, 2);
    *out++ = ':';
    return put_number(out, moment->second, 2);
}

void httptime_write(int64_t seconds, char out[HTTPTIME_SIZE])
{
    struct moment moment = moment_of(seconds);
    /* January 1st of the year 0 is a Saturday. */
    int64_t weekday = (days_of(moment.year, moment.month, moment.day) - days_of(0, 1, 1) + 6) % 7;

    char *at = put_text(out, weekdays[weekday], 3);
    at = put_text(at, ", ", 2);
    at = put_number(at, moment.day, 2);
    *at++ = ' ';
    at = put_text(at, months[moment.month - 1], 3);
    *at++ = ' ';
    at = put_number(at, moment.year, 4);
    *at++ = ' ';
    at = put_clock(at, &moment);
    at = put_text(at, " GMT", 4);
    *at = '\0';
}

void rfc3339_write(int64_t milliseconds, char out[RFC3339_SIZE])
{
    bool is_rounded_up = milliseconds % 1000 < 0; /* C rounds towards zero */
    struct moment moment = moment_of(milliseconds / 1000 - is_rounded_up);

    char *at = put_number(out, moment.year, 4);
    *at++ = '-';
    at = put_number(at, moment.month, 2);
    *at++ = '-';
    at = put_number(at, moment.day, 2);
    *at++ = 'T';
    at = put_clock(at, &moment);
    *at++ = '.';
    at = put_number(at, milliseconds % 1000 + (is_rounded_up ? 1000 : 0), 3);
    *at++ = 'Z';
    *at = '\0';
}

static bool take_literal(struct span *rest, struct span literal)
{
    if (!span_starts_with(*rest, literal))
        return false;
    rest->at += literal.length;
    rest->length -= literal.length;
    return true;
}

static bool take_number(struct span *rest, size_t digits, int64_t *number_out)
{
    unsigned long long number;
    if (rest->length < digits || !span_to_u64(span_from(rest->at, digits), &number))
        return false;
    *number_out = (int64_t)number;
    rest->at += digits;
    rest->length -= digits;
    return true;
}

static bool take_weekday(struct span *rest, bool is_short)
{
    for (size_t i = 0; i < 7; i++) {
        if (take_literal(rest, is_short ? span_from(weekdays[i], 3) : span_of(weekdays[i])))
            return true;
    }
    return false;
}

static bool take_month(struct span *rest, int64_t *month_out)
{
    for (*month_out = 1; *month_out <= 12; ++*month_out) {
        if (take_literal(rest, span_of(months[*month_out - 1])))
            return true;
    }
    return false;
}

/* Takes what one letter of a pattern (see `match`) stands for. */
static bool take_field(struct span *rest, char letter, struct moment *moment)
{
    switch (letter) {
    case 'a':
        return take_weekday(rest, true);
    case 'A':
        return take_weekday(rest, false);
    case 'b':
        return take_month(rest, &moment->month);
    case 'd':
        return take_number(rest, 2, &moment->day);
    case 'e':
        return take_literal(rest, span_of(" ")) ? take_number(rest, 1, &moment->day)
                                                : take_number(rest, 2, &moment->day);
    case 'Y':
        return take_number(rest, 4, &moment->year);
    case 'y':
        return take_number(rest, 2, &moment->year);
    default: /* 'T' */
        return take_number(rest, 2, &moment->hour) && take_literal(rest, span_of(":")) &&
               take_number(rest, 2, &moment->minute) && take_literal(rest, span_of(":")) &&
               take_number(rest, 2, &moment->second);
    }
}

/* Whether `text` is as `pattern`, whose letters after a percent sign mean what they do for strptime. */
static bool match(struct span text, const char *pattern, struct moment *moment)
{
    for (; *pattern != '\0'; pattern++) {
        bool is_taken =
            *pattern == '%' ? take_field(&text, *++pattern, moment) : take_literal(&text, span_from(pattern, 1));
        if (!is_taken)
            return false;
    }
    return text.length == 0;
}

/* The latest century in which the date is not more than fifty years in the future (RFC 9110 5.6.7). */
static void choose_century(struct moment *moment, int64_t now)
{
    struct moment limit = moment_of(now);
    limit.year += 50;
    moment->year = limit.year - (limit.year - moment->year) % 100;
    if (seconds_of(moment) > seconds_of(&limit))
        moment->year -= 100;
}

static bool is_real(const struct moment *moment)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = moment->year % 4 == 0 && (moment->year % 100 != 0 || moment->year % 400 == 0);
    int64_t days = lengths[moment->month - 1] + (moment->month == 2 && is_leap);
    /* Second 60 is a leap second. */
    return moment->day >= 1 && moment->day <= days && moment->hour < 24 && moment->minute < 60 && moment->second <= 60;
}

bool httptime_read(struct span text, int64_t now, int64_t *seconds_out)
{
    struct moment moment = {0};
    if (match(text, "%A, %d-%b-%y %T GMT", &moment))
        choose_century(&moment, now);
    else if (!match(text, "%a, %d %b %Y %T GMT", &moment) && !match(text, "%a %b %e %T %Y", &moment))
        return false;
    if (!is_real(&moment))
        return false;
    *seconds_out = seconds_of(&moment);
    return true;
}
