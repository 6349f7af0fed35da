/*
 * What a program may tell the recorder (heteromem-record.c, docs/record.md). None of it is needed for a
 * trace: without it, every access is the CPU's unless HETEROMEM_DEVICE names functions, and data has the
 * names of its call sites.
 *
 * Compile with -DHETEROMEM_OFF to build the program without the recorder: all of this becomes nothing.
 */
#ifndef HETEROMEM_RECORD_H
#define HETEROMEM_RECORD_H

#include <stddef.h>

/* The device of hm_advise() and hm_prefetch() that is the CPU. */
#define HM_CPU (-1)

/* What cudaMemAdvise() would be told, by CUDA's own numbers. */
enum hm_advice {
	HM_SET_READ_MOSTLY = 1,
	HM_UNSET_READ_MOSTLY = 2,
	HM_SET_PREFERRED_LOCATION = 3,
	HM_UNSET_PREFERRED_LOCATION = 4,
	HM_SET_ACCESSED_BY = 5,
	HM_UNSET_ACCESSED_BY = 6,
};

#ifdef HETEROMEM_OFF
#define hm_device_begin(name, device) ((void)0)
#define hm_device_end() ((void)0)
#define hm_range(name, start, bytes) ((void)0)
#define hm_advise(start, bytes, advice, device) ((void)0)
#define hm_prefetch(start, bytes, device) ((void)0)
#else

#ifdef __cplusplus
extern "C" {
#endif

/*
 * From here to hm_device_end(), this thread's accesses are made by `device` (0 to 253) in a kernel called
 * `name`. Threads that it creates meanwhile and the teams of its OpenMP regions work for the device, too.
 * Sections nest, 16 deep.
 */
void hm_device_begin(const char *name, int device);
void hm_device_end(void);

/* Names the data at `start`, `bytes` long. A later name for the same address replaces an earlier one. */
void hm_range(const char *name, const void *start, size_t bytes);

/* Records what cudaMemAdvise() would be told here. `device` is a device's number or HM_CPU. */
void hm_advise(const void *start, size_t bytes, enum hm_advice advice, int device);

/* Records what cudaMemPrefetchAsync() would be told here. `device` is a device's number or HM_CPU. */
void hm_prefetch(const void *start, size_t bytes, int device);

#ifdef __cplusplus
}
#endif
#endif
#endif
