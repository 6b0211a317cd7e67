/* plugin.h: libptlua_NAME.so, opened on demand. */
#ifndef PTI_PLUGIN_H
#define PTI_PLUGIN_H

#include "base.h"

/* The symbol of plug-in NAME; NULL, with a message that names the `kind` ("device", "backend") and gives a `hint`,
   where it is missing. Opening one again is only a lookup. Callers must not open one on two threads at once. */
void *pti_plugin(const char *kind, const char *name, const char *symbol, const char *hint);

#endif
