/* The built-in pages: files of web/ that the build puts into the program. */
#pragma once

extern const unsigned char page_index[];
extern const unsigned long page_index_size;
