/* The format of what is kept in a folder, for whichever penstock comes next: an empty folder in it, `format-NUMBER`, which is
 * made in one step or not at all.
 *
 * The number grows when something is kept in a way that an older penstock would misread. */
#pragma once

/* Looks at the format of `folder`, before anything else in it is read. 0: it is `number` or an older one, or there was
 * none and it is `number` from now on (the folder is the caller's to sync); a full disk puts that off until the next
 * time. -EPROTONOSUPPORT: a newer one. Or another negative errno. Blocking; any thread. */
int format_claim(int folder, unsigned number);
