/* The version of the program, as in CMakeLists.txt: results carry it. */
#ifndef REPORTS_VERSION_H
#define REPORTS_VERSION_H

#define CHATSCALE_VERSION "0.1.0"

#endif
