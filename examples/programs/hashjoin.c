/*
 * A hash join: hashjoin [ROWS [PROBES]]
 *
 * The CPU builds a hash table of ROWS orders (open addressing, half full) and writes PROBES line items that
 * name orders at random. probe() looks each of them up and stands for the kernel that would be offloaded to a
 * device:
 * its reads of the table have no locality at all, its reads of the items and its writes of the result are
 * sequential. The CPU adds the result up.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline, noclone))

struct order {
	uint64_t key; /* 0: an empty slot */
	uint64_t price;
};

static uint64_t hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15u;
	return key ^ key >> 32;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* result[i] = the price of the order that item i names, 0 if there is none. The offloaded kernel. */
NOINLINE void probe(uint64_t *restrict result, const uint64_t *items, long probes, const struct order *table,
		    uint64_t mask)
{
	for (long i = 0; i < probes; i++) {
		uint64_t slot = hash(items[i]) & mask;

		while (table[slot].key != items[i] && table[slot].key != 0)
			slot = (slot + 1) & mask;
		result[i] = table[slot].price;
	}
}

NOINLINE void build(struct order *table, uint64_t mask, long rows)
{
	for (long row = 1; row <= rows; row++) {
		uint64_t slot = hash(row) & mask;

		while (table[slot].key != 0)
			slot = (slot + 1) & mask;
		table[slot].key = row;
		table[slot].price = row % 1000;
	}
}

/* One item in eight names an order that does not exist. */
NOINLINE void draw_items(uint64_t *items, long probes, long rows)
{
	uint64_t state = 88172645463325252u;

	for (long i = 0; i < probes; i++)
		items[i] = 1 + next_random(&state) % (rows + rows / 8);
}

NOINLINE uint64_t total(const uint64_t *result, long probes)
{
	uint64_t sum = 0;

	for (long i = 0; i < probes; i++)
		sum += result[i];
	return sum;
}

static long argument(int argc, char **argv, int index, long otherwise)
{
	return index < argc ? strtol(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	long rows = argument(argc, argv, 1, 20000);
	long probes = argument(argc, argv, 2, 60000);
	uint64_t slots = 2, *items, *result;
	struct order *table;

	if (rows < 1 || probes < 1) {
		fprintf(stderr, "usage: hashjoin [ROWS [PROBES]]\n");
		return 2;
	}
	while (slots < 2 * (uint64_t)rows)
		slots *= 2;
	table = calloc(slots, sizeof(struct order));
	items = malloc(probes * sizeof(uint64_t));
	result = malloc(probes * sizeof(uint64_t));
	if (!table || !items || !result)
		return 1;
	build(table, slots - 1, rows);
	draw_items(items, probes, rows);
	probe(result, items, probes, table, slots - 1);
	printf("hashjoin: %ld orders, %ld items: total %llu\n", rows, probes,
	       (unsigned long long)total(result, probes));
	free(table);
	free(items);
	free(result);
	return 0;
}
