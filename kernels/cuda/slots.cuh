/* slots.cuh: the slots of the backend that have a kernel here; slot `x` is the function pti_cuda_x,
   whose type is that of backend.h. A slot that is not in the list is "not on this device". */
#ifndef PT_SLOTS_CUH
#define PT_SLOTS_CUH

#define SLOTS(X) X(ew) X(copy) X(fill) X(arange)

#endif
