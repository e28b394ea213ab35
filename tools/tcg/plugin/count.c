/*
 * A plugin for QEMU's TCG: counts what a guest does between marks.
 *
 * A mark is the instruction `mov xzr, #(0xA100 + N)`, which does nothing: from there on everything
 * counts for phase N (0 to 63; 0 until the first mark). It is the same at each exception level, so a
 * program under Linux marks its phases as a bare-metal image does.
 *
 * Options: out=FILE        where the counts go when QEMU ends (one line each: on_exit_of_qemu)
 *          counts=off      only the time of each phase, at full speed
 *          mem=on          also each access to memory: bytes by page, device registers by address
 *          split=LO-HI     code at these virtual addresses is counted apart (the monitor at EL2)
 *          window=LO-HI    with mem=on: instructions of the blocks that touch this physical memory
 *          profile=N       also a tree of calls, with the instructions of phase N (or of all: profile=all)
 *          ran=on          also which blocks ran, but those of `split`
 *          probe=on        prints the interface that QEMU has, and ends it
 *
 * QEMU's own header is not used: the few prototypes below are all that is needed, and they are the
 * same from interface 1 (QEMU 7.2) to 4 (QEMU 10.0), but for qemu_plugin_insn_data.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef PLUGIN_API
#define PLUGIN_API 1
#endif
#define EXPORT __attribute__((visibility("default")))

/* -- what QEMU offers ------------------------------------------------------------------------- */

typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
} qemu_info;

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
enum { NO_REGS = 0, MEM_RW = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *,
                                             void (*)(unsigned, uint32_t, uint64_t, void *), int, int, void *);
extern void qemu_plugin_register_atexit_cb(uint64_t, void (*)(uint64_t, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
/* Interfaces 1 and 2: one argument, returns the bytes. From 3 on: copies them. */
extern void *qemu_plugin_insn_data();
extern unsigned qemu_plugin_mem_size_shift(uint32_t);
extern bool qemu_plugin_mem_is_store(uint32_t);
extern struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t, uint64_t);
extern bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
extern uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *);

EXPORT int qemu_plugin_version = PLUGIN_API;

/* -- what is counted -------------------------------------------------------------------------- */

enum {
    PHASES = 64,
    CPUS = 8,
    MARK = 0xA100,
    PAGES_PER_CHUNK = 512, /* 2 MiB of 4 KiB pages */
    CHUNKS = 32768,        /* 64 GiB of physical addresses */
    REGISTERS = 1024,      /* device registers by address, for each phase */
    DEPTH = 256            /* of calls */
};

struct page { uint64_t loads, stores; }; /* bytes */
/* With what had been counted, in all, before the first store to it. */
struct reg { uint64_t address, loads, stores, insns_before, mmio_before; bool used; };

struct side { uint64_t insns, mmio_loads, mmio_stores; };

struct counts {
    struct side side[2]; /* the guest, and the code in `split` */
    struct page **chunks;
    struct reg *regs;
};

/* A node of the tree of calls: a function, by its entry, under a caller; or, with instructions, one of
 * its blocks. */
struct node {
    uint64_t entry, insns;
    bool leaf;
    unsigned id;
    struct node *parent, *child, *next;
};

struct frame { uint64_t back; struct node *node; };

struct cpu {
    struct counts phase[PHASES];
    /* Of all phases: instructions of the guest, and device registers since its first one. */
    uint64_t insns, mmio;
    /* Profile: calls that have not come back, and how the block before ended. */
    struct frame stack[DEPTH];
    unsigned depth;
    bool called;
    uint64_t back;
};

struct block {
    uint64_t start, back;
    uint32_t insns;
    bool split, calls, ran, touches; /* the window */
    uint64_t *of_phase;         /* with a window: instructions of each phase */
    struct node *under, *leaf;  /* in a profile: where it was counted last */
    struct block *next;         /* where all are wanted at the end */
};

static struct cpu *cpus[CPUS];
static unsigned phase;
static uint64_t entries[PHASES], nanos[PHASES], since;
static struct node root;
static unsigned nodes;

static const char *out_path;
static int api_min, api_cur;
static bool with_counts = true, with_mem, with_ran, probe;
static int profiled = -1; /* a phase, PHASES for all of them, -1 for none */
static uint64_t split_low, split_high, window_low, window_high;
static struct block *blocks; /* with a window, or ran=on: all of them */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        fprintf(stderr, "count: no memory\n");
        exit(1);
    }
    return memory;
}

static struct cpu *cpu(unsigned index)
{
    struct cpu **place = &cpus[index % CPUS];
    if (!*place)
        *place = zeroed(1, sizeof **place);
    return *place;
}

static struct page *page_of(struct counts *counts, uint64_t address)
{
    uint64_t page = address >> 12;
    uint64_t chunk = page / PAGES_PER_CHUNK;
    if (chunk >= CHUNKS)
        return NULL;
    if (!counts->chunks)
        counts->chunks = zeroed(CHUNKS, sizeof *counts->chunks);
    if (!counts->chunks[chunk])
        counts->chunks[chunk] = zeroed(PAGES_PER_CHUNK, sizeof **counts->chunks);
    return &counts->chunks[chunk][page % PAGES_PER_CHUNK];
}

static struct reg *reg_of(struct counts *counts, uint64_t address)
{
    if (!counts->regs)
        counts->regs = zeroed(REGISTERS, sizeof *counts->regs);
    unsigned at = (unsigned)((address >> 2) * 2654435761u) % REGISTERS;
    for (unsigned tries = 0; tries < REGISTERS; tries++, at = (at + 1) % REGISTERS) {
        struct reg *reg = &counts->regs[at];
        if (!reg->used) {
            reg->used = true;
            reg->address = address;
        }
        if (reg->address == address)
            return reg;
    }
    return NULL;
}

/* -- the tree of calls ------------------------------------------------------------------------ */

static struct node *child_of(struct node *parent, uint64_t entry, bool leaf)
{
    struct node *node;
    for (node = parent->child; node; node = node->next)
        if (node->entry == entry && node->leaf == leaf)
            return node;
    node = zeroed(1, sizeof *node);
    node->entry = entry;
    node->leaf = leaf;
    node->id = ++nodes;
    node->parent = parent;
    node->next = parent->child;
    parent->child = node;
    return node;
}

/* A block after a call begins a function; one at an address that a call left goes back to it. */
static struct node *follow(struct cpu *c, const struct block *block)
{
    if (c->called && c->depth < DEPTH) {
        struct node *under = c->depth ? c->stack[c->depth - 1].node : &root;
        c->stack[c->depth++] = (struct frame){ c->back, child_of(under, block->start, false) };
    } else if (!c->called) {
        for (unsigned at = c->depth; at > 0; at--)
            if (c->stack[at - 1].back == block->start) {
                c->depth = at - 1;
                break;
            }
    }
    c->called = block->calls;
    c->back = block->back;
    return c->depth ? c->stack[c->depth - 1].node : &root;
}

/* -- while the guest runs --------------------------------------------------------------------- */

static void on_block(unsigned index, void *data)
{
    struct block *block = data;
    struct cpu *c = cpu(index);
    block->ran = true;
    c->phase[phase].side[block->split].insns += block->insns;
    c->insns += block->split ? 0 : block->insns;
    if (block->of_phase)
        block->of_phase[phase] += block->insns;
    if (profiled >= 0 && !block->split) {
        struct node *node = follow(c, block);
        if (block->under != node) {
            block->under = node;
            block->leaf = child_of(node, block->start, true);
        }
        if (profiled == PHASES || (unsigned)profiled == phase)
            block->leaf->insns += block->insns;
    }
}

static void on_mark(unsigned index, void *data)
{
    (void)index;
    uint64_t time = now();
    nanos[phase] += time - since;
    since = time;
    phase = (unsigned)(uintptr_t)data;
    entries[phase]++;
}

static void on_access(unsigned index, uint32_t info, uint64_t vaddr, void *data)
{
    struct block *block = data;
    struct qemu_plugin_hwaddr *place = qemu_plugin_get_hwaddr(info, vaddr);
    if (!place)
        return;
    bool store = qemu_plugin_mem_is_store(info);
    struct cpu *c = cpu(index);
    struct counts *counts = &c->phase[phase];
    uint64_t address = qemu_plugin_hwaddr_phys_addr(place);
    if (qemu_plugin_hwaddr_is_io(place)) {
        struct side *side = &counts->side[block->split];
        struct reg *reg = reg_of(counts, address);
        if (reg && store && !reg->stores) {
            reg->insns_before = c->insns;
            reg->mmio_before = c->mmio;
        }
        c->mmio += c->insns > 0;
        *(store ? &side->mmio_stores : &side->mmio_loads) += 1;
        if (reg)
            *(store ? &reg->stores : &reg->loads) += 1;
        return;
    }
    if (address >= window_low && address < window_high)
        block->touches = true;
    /* What the monitor does to its own memory is no matter of the guest's. */
    struct page *page = block->split ? NULL : page_of(counts, address);
    if (page)
        *(store ? &page->stores : &page->loads) += 1u << qemu_plugin_mem_size_shift(info);
}

static uint32_t opcode(struct qemu_plugin_insn *insn)
{
    uint32_t word = 0;
    if (api_cur >= 3) {
        size_t (*copy)(const struct qemu_plugin_insn *, void *, size_t) = (void *)qemu_plugin_insn_data;
        copy(insn, &word, sizeof word);
    } else {
        const void *(*bytes)(const struct qemu_plugin_insn *) = (void *)qemu_plugin_insn_data;
        memcpy(&word, bytes(insn), sizeof word);
    }
    return word;
}

/* BL, BLR and its authenticated forms. */
static bool is_call(uint32_t word)
{
    return (word & 0xfc000000u) == 0x94000000u || (word & 0xfefff000u) == 0xd63f0000u;
}

static bool is_mark(uint32_t word, unsigned *number)
{
    uint32_t immediate = (word >> 5) & 0xffff;
    *number = immediate & 0xff;
    return (word & 0xffe0001fu) == 0xd280001fu && (immediate & 0xff00) == MARK && *number < PHASES;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb);
    struct block *block = NULL;
    if (with_counts) {
        block = zeroed(1, sizeof *block);
        block->start = qemu_plugin_tb_vaddr(tb);
        block->insns = (uint32_t)count;
        block->split = block->start >= split_low && block->start < split_high;
        if (window_high)
            block->of_phase = zeroed(PHASES, sizeof *block->of_phase);
        if (window_high || with_ran) {
            block->next = blocks;
            blocks = block;
        }
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGS, block);
    }
    for (size_t at = 0; at < count; at++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, at);
        uint32_t word = opcode(insn);
        unsigned number;
        if (is_mark(word, &number))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGS, (void *)(uintptr_t)number);
        if (block && at + 1 == count) {
            block->calls = is_call(word);
            block->back = qemu_plugin_insn_vaddr(insn) + 4;
        }
        if (block && with_mem)
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGS, MEM_RW, block);
    }
}

/* -- at the end ------------------------------------------------------------------------------- */

static void write_pages(FILE *file, const struct counts *counts)
{
    for (unsigned chunk = 0; counts->chunks && chunk < CHUNKS; chunk++)
        for (unsigned at = 0; counts->chunks[chunk] && at < PAGES_PER_CHUNK; at++) {
            struct page page = counts->chunks[chunk][at];
            uint64_t address = ((uint64_t)chunk * PAGES_PER_CHUNK + at) << 12;
            if (page.loads || page.stores)
                fprintf(file, "page %#llx %llu %llu\n", (unsigned long long)address,
                        (unsigned long long)page.loads, (unsigned long long)page.stores);
        }
}

static uint64_t touching(unsigned number)
{
    uint64_t sum = 0;
    for (const struct block *block = blocks; block; block = block->next)
        if (block->touches && !block->split)
            sum += block->of_phase[number];
    return sum;
}

static void write_phase(FILE *file, unsigned number)
{
    fprintf(file, "phase %u %llu %llu\n", number, (unsigned long long)entries[number],
            (unsigned long long)nanos[number]);
    if (window_high)
        fprintf(file, "window %llu\n", (unsigned long long)touching(number));
    for (unsigned index = 0; index < CPUS; index++) {
        const struct counts *counts = cpus[index] ? &cpus[index]->phase[number] : NULL;
        if (!counts)
            continue;
        const struct side *guest = &counts->side[0], *split = &counts->side[1];
        fprintf(file, "cpu %u %llu %llu %llu %llu %llu %llu\n", index,
                (unsigned long long)guest->insns, (unsigned long long)guest->mmio_loads,
                (unsigned long long)guest->mmio_stores, (unsigned long long)split->insns,
                (unsigned long long)split->mmio_loads, (unsigned long long)split->mmio_stores);
        for (unsigned at = 0; counts->regs && at < REGISTERS; at++) {
            struct reg reg = counts->regs[at];
            if (reg.used)
                fprintf(file, "register %#llx %llu %llu %llu %llu\n", (unsigned long long)reg.address,
                        (unsigned long long)reg.loads, (unsigned long long)reg.stores,
                        (unsigned long long)reg.insns_before, (unsigned long long)reg.mmio_before);
        }
        write_pages(file, counts);
    }
}

static void write_node(FILE *file, const struct node *node)
{
    fprintf(file, "%s %u %u %#llx %llu\n", node->leaf ? "block" : "call", node->id, node->parent ? node->parent->id : 0,
            (unsigned long long)node->entry, (unsigned long long)node->insns);
    for (const struct node *child = node->child; child; child = child->next)
        write_node(file, child);
}

static void on_exit_of_qemu(uint64_t id, void *data)
{
    (void)id, (void)data;
    nanos[phase] += now() - since;
    FILE *file = out_path ? fopen(out_path, "w") : stderr;
    if (!file) {
        perror(out_path);
        return;
    }
    fprintf(file, "api %d %d %d\n", PLUGIN_API, api_min, api_cur);
    for (unsigned number = 0; number < PHASES; number++)
        if (entries[number])
            write_phase(file, number);
    if (profiled >= 0)
        write_node(file, &root);
    for (const struct block *block = with_ran ? blocks : NULL; block; block = block->next)
        if (block->ran && !block->split)
            fprintf(file, "ran %#llx %u\n", (unsigned long long)block->start, block->insns);
    if (file != stderr)
        fclose(file);
}

static bool on(const char *value)
{
    return !strcmp(value, "on") || !strcmp(value, "1") || !strcmp(value, "true");
}

static bool take_range(const char *text, uint64_t *low, uint64_t *high)
{
    char *end;
    *low = strtoull(text, &end, 0);
    *high = *end == '-' ? strtoull(end + 1, NULL, 0) : 0;
    return *high > *low;
}

static bool take_option(const char *word)
{
    char key[16];
    const char *value = strchr(word, '=');
    if (!value || (size_t)(value - word) >= sizeof key)
        return false;
    memcpy(key, word, (size_t)(value - word));
    key[value++ - word] = 0;
    if (!strcmp(key, "out"))
        out_path = strdup(value);
    else if (!strcmp(key, "counts"))
        with_counts = on(value);
    else if (!strcmp(key, "mem"))
        with_mem = on(value);
    else if (!strcmp(key, "ran"))
        with_ran = on(value);
    else if (!strcmp(key, "probe"))
        probe = on(value);
    else if (!strcmp(key, "profile"))
        profiled = strcmp(value, "all") ? atoi(value) : PHASES;
    else if (!strcmp(key, "split"))
        return take_range(value, &split_low, &split_high);
    else if (!strcmp(key, "window"))
        return take_range(value, &window_low, &window_high);
    else
        return false;
    return true;
}

EXPORT int qemu_plugin_install(uint64_t id, const qemu_info *info, int argc, char **argv)
{
    api_min = info->version.min;
    api_cur = info->version.cur;
    for (int at = 0; at < argc; at++)
        if (!take_option(argv[at])) {
            fprintf(stderr, "count: `%s` is no option\n", argv[at]);
            return 1;
        }
    if (probe) {
        fprintf(stderr, "count: interface %d of %d to %d\n", PLUGIN_API, api_min, api_cur);
        return 1;
    }
    entries[0] = 1;
    since = now();
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
    return 0;
}
