/*
 * A two-dimensional Jacobi stencil: jacobi [N [SWEEPS [EVERY]]]
 *
 * Heat spreads over an N x N plate whose upper edge is held at 100 degrees. sweep() computes each inner cell
 * from its four neighbors and stands for the kernel that would be offloaded to a device. The CPU sets the
 * plate up, looks at the middle row every EVERY sweeps, and adds everything up at the end.
 */
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline, noclone))

/* to = average of from's neighbours, for every inner cell. The offloaded kernel. */
NOINLINE void sweep(double *restrict to, const double *restrict from, long n)
{
	for (long row = 1; row < n - 1; row++) {
		const double *up = from + (row - 1) * n;
		const double *here = from + row * n;
		const double *down = from + (row + 1) * n;
		double *out = to + row * n;

		for (long col = 1; col < n - 1; col++)
			out[col] = 0.25 * (up[col] + down[col] + here[col - 1] + here[col + 1]);
	}
}

/* The upper edge is hot; the other edges stay at 0, as calloc has left them. */
NOINLINE void heat_edge(double *plate, long n)
{
	for (long col = 0; col < n; col++)
		plate[col] = 100.0;
}

/* Lukewarm inside. Only the first plate needs it: the other is written by the first sweep. */
NOINLINE void fill(double *plate, long n)
{
	for (long row = 1; row < n - 1; row++)
		for (long col = 1; col < n - 1; col++)
			plate[row * n + col] = 20.0 + (row + col) % 5;
}

/* How warm the middle of the plate is. Reads one row: the CPU takes it back from the device. */
NOINLINE double middle_row(const double *plate, long n)
{
	const double *row = plate + n / 2 * n;
	double sum = 0;

	for (long col = 0; col < n; col++)
		sum += row[col];
	return sum;
}

NOINLINE double checksum(const double *plate, long n)
{
	double sum = 0;

	for (long cell = 0; cell < n * n; cell++)
		sum += plate[cell];
	return sum;
}

static long argument(int argc, char **argv, int index, long otherwise)
{
	return index < argc ? strtol(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	long n = argument(argc, argv, 1, 160);
	long sweeps = argument(argc, argv, 2, 5);
	long every = argument(argc, argv, 3, 2);
	double *from, *to, *swap;
	double middle = 0;

	if (n < 3 || sweeps < 1 || every < 1) {
		fprintf(stderr, "usage: jacobi [N [SWEEPS [EVERY]]]\n");
		return 2;
	}
	from = calloc(n * n, sizeof(double));
	to = calloc(n * n, sizeof(double));
	if (!from || !to)
		return 1;
	heat_edge(from, n);
	heat_edge(to, n);
	fill(from, n);
	for (long i = 1; i <= sweeps; i++) {
		sweep(to, from, n);
		swap = from, from = to, to = swap;
		if (i % every == 0)
			middle += middle_row(from, n);
	}
	printf("jacobi: %ld x %ld, %ld sweeps: middle %.6f, checksum %.6f\n", n, n, sweeps, middle,
	       checksum(from, n));
	free(from);
	free(to);
	return 0;
}
