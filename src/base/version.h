/* The version of the program, from the build. */
#pragma once

#ifndef PENSTOCK_VERSION
#define PENSTOCK_VERSION "0.0.0"
#endif
