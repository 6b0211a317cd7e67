/* type_end.inc.h: frees the names of type.inc.h for the next type. */
#undef T
#undef F
#undef BYTES
#undef FROM_DOUBLE
#undef COMPUTE
#undef LANES
#undef V
#undef VU
#undef SUM_LANES
#undef MAC
