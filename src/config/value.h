/* One value of a setting: from text into its field, and back. */
#pragma once

#include <stdio.h>

#include "base/error.h"
#include "config/setting.h"
#include "config/settings.h"

/* Puts `text`, which lives as long as `settings`, into the setting's field; a list gets it as one item more. False when
 * it is not allowed. */
bool value_read(const struct setting *setting, const char *text, struct settings *settings);

/* After value_read has said no: what would have been allowed, as in "..., but must be <this>". */
enum { VALUE_ALLOWED_SIZE = 128 };
void value_allowed(const struct setting *setting, char out[VALUE_ALLOWED_SIZE]);

/* True for the words that mean yes or no, in any case. */
bool value_is_yes_or_no(struct span text);

/* Whether the setting means the same in both. */
bool value_is_same(const struct setting *setting, const struct settings *a, const struct settings *b);

/* Gives `to` the value that `from` has; its texts are copied into the memory of `to`. False when that is short. */
bool value_copy(const struct setting *setting, const struct settings *from, struct settings *to);

/* False for a text that nobody set and that has no default. */
bool value_is_there(const struct setting *setting, const struct settings *settings);

/* Writes the field's value as it stands in a file, items of a list divided by commas. The number of characters. */
int value_print(const struct setting *setting, const struct settings *settings, FILE *to);

/* Where the text is among the setting's choices, from 0; -1 when it is none of them. */
int value_choice(const struct setting *setting, struct span text);
