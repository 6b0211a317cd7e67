/* blas.h: what is used of OpenBLAS, which brings LAPACK. The library is opened when it is first needed: linked, it would
   cost every program 7 ms at its start (measured; a symbol table of 9,000 names, and threads of its own). */
#ifndef PTI_BLAS_H
#define PTI_BLAS_H

#include <cblas.h>
#include <stdbool.h>
#include <stddef.h>

/* The Fortran routines, of real and of complex numbers; lengths of their character arguments come last. */
#define PTI_REAL(name, ...)            \
  extern void s##name##_(__VA_ARGS__); \
  extern void d##name##_(__VA_ARGS__)
#define PTI_COMPLEX(name, ...)         \
  extern void c##name##_(__VA_ARGS__); \
  extern void z##name##_(__VA_ARGS__)
#define PTI_LAPACK(name, ...)  \
  PTI_REAL(name, __VA_ARGS__); \
  PTI_COMPLEX(name, __VA_ARGS__)
typedef const int *pti_in;
typedef const char *pti_mode;
PTI_LAPACK(potrf, pti_mode, pti_in, void *, pti_in, int *, size_t);
PTI_LAPACK(getrf, pti_in, pti_in, void *, pti_in, int *, int *);
PTI_LAPACK(getrs, pti_mode, pti_in, pti_in, const void *, pti_in, const int *, void *, pti_in,
           int *, size_t);
PTI_LAPACK(trsm, pti_mode, pti_mode, pti_mode, pti_mode, pti_in, pti_in, const void *, const void *,
           pti_in, void *, pti_in, size_t, size_t, size_t, size_t);
PTI_LAPACK(geqrf, pti_in, pti_in, void *, pti_in, void *, void *, pti_in, int *);
PTI_REAL(orgqr, pti_in, pti_in, pti_in, void *, pti_in, const void *, void *, pti_in, int *);
PTI_COMPLEX(ungqr, pti_in, pti_in, pti_in, void *, pti_in, const void *, void *, pti_in, int *);
PTI_REAL(syevd, pti_mode, pti_mode, pti_in, void *, pti_in, void *, void *, pti_in, int *, pti_in,
         int *, size_t, size_t);
PTI_COMPLEX(heevd, pti_mode, pti_mode, pti_in, void *, pti_in, void *, void *, pti_in, void *,
            pti_in, int *, pti_in, int *, size_t, size_t);
PTI_REAL(gesdd, pti_mode, pti_in, pti_in, void *, pti_in, void *, void *, pti_in, void *, pti_in,
         void *, pti_in, int *, int *, size_t);
PTI_COMPLEX(gesdd, pti_mode, pti_in, pti_in, void *, pti_in, void *, void *, pti_in, void *, pti_in,
            void *, pti_in, void *, int *, int *, size_t);
PTI_REAL(geev, pti_mode, pti_mode, pti_in, void *, pti_in, void *, void *, void *, pti_in, void *,
         pti_in, void *, pti_in, int *, size_t, size_t);
PTI_COMPLEX(geev, pti_mode, pti_mode, pti_in, void *, pti_in, void *, void *, pti_in, void *,
            pti_in, void *, pti_in, void *, int *, size_t, size_t);

/* A list, not statements. */
/* clang-format off */
#define PTI_BLAS_NAMES(NAME)                                                         \
  NAME(openblas_set_num_threads) NAME(cblas_cgemm) NAME(cblas_zgemm) NAME(spotrf_)   \
  NAME(dpotrf_) NAME(sgetrf_) NAME(dgetrf_) NAME(sgetrs_) NAME(dgetrs_) NAME(strsm_) \
  NAME(dtrsm_) NAME(sgeqrf_) NAME(dgeqrf_) NAME(sorgqr_) NAME(dorgqr_) NAME(ssyevd_) \
  NAME(dsyevd_) NAME(sgesdd_) NAME(dgesdd_) NAME(sgeev_) NAME(dgeev_) NAME(cpotrf_)  \
  NAME(zpotrf_) NAME(cgetrf_) NAME(zgetrf_) NAME(cgetrs_) NAME(zgetrs_) NAME(ctrsm_) \
  NAME(ztrsm_) NAME(cgeqrf_) NAME(zgeqrf_) NAME(cungqr_) NAME(zungqr_) NAME(cheevd_) \
  NAME(zheevd_) NAME(cgesdd_) NAME(zgesdd_) NAME(cgeev_) NAME(zgeev_)
/* clang-format on */

/* The functions under their own names: pti_blas.cblas_cgemm(...), once pti_blas_ready() has said true. */
typedef struct pti_blas_table {
#define MEMBER(name) __typeof__(name) *name;
  PTI_BLAS_NAMES(MEMBER)
#undef MEMBER
} pti_blas_table;
extern pti_blas_table pti_blas;

/* Opens the library if that was not done yet and holds it to one thread; false, with the error recorded, if there is
   none. */
bool pti_blas_ready(void);

#endif
