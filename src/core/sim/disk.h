/* The simulated disk: a tree in memory, of which every part is known in two states: as programs see it now, and as it
 * would be found if the power went.
 *
 * disk.c keeps inodes and paths, content.c what is in a file, journal.c which changes of names are durable, crash.c
 * chooses what is left; descriptor.c, file.c and folder.c are the face, look.c is for tests. */
#pragma once

#include "core/sim/actor.h"

enum { PAGE_SIZE = 4096, FILE_NAME_SIZE = 256 };

struct attribute {
    struct attribute *next;
    size_t length;
    char name[64];
    uint8_t value[];
};

struct content {
    uint8_t *bytes;
    size_t size, capacity;
    int64_t modified_ns;
    struct attribute *attributes;
};

struct entry {
    struct entry *next;
    struct inode *inode;
    char name[];
};

struct inode {
    struct inode *next, *before; /* all */
    uint64_t number;
    int64_t born;                    /* the how manieth it is */
    uint64_t charged;                /* of the disk's bytes */
    unsigned links;                  /* names that programs see */
    unsigned opens;                  /* descriptors */
    unsigned holds;                  /* durable names, and changes of names that are not durable yet */
    struct content now, synced;      /* of a file */
    uint8_t *dirty;                  /* one for each page of `now` */
    struct entry *entries, *durable; /* of a folder */
    const void *lock_owner;          /* the descriptor that has it */
    const struct inode *mount;       /* the folder at which its filesystem is mounted; NULL: the disk's own */
    bool is_folder;
    bool is_linkable; /* it never had a name and may still be given one (O_TMPFILE) */
};

/* ---- disk.c ---- */

void disk_open(void);
void disk_close(void);
struct inode *disk_root(void);
struct inode *disk_first(void); /* all inodes, by inode_next */
struct inode *inode_next(const struct inode *inode);
bool inode_is_fixed(const struct inode *inode); /* the root, /data and what something is mounted at: they stay */

/* A new one, that is made in `folder` (NULL: in none). */
struct inode *inode_make(const struct inode *folder, bool is_folder);
void inode_settle(struct inode *inode); /* frees it when nobody knows it any more */
void inode_free(struct inode *inode);
void inode_charge(struct inode *inode); /* brings what it takes of the disk up to date */
uint64_t disk_room(void);

struct inode *entry_find(const struct entry *entries, const char *name);
void entry_put(struct entry **entries, const char *name, struct inode *inode); /* NULL: takes the name away */

/* Where a path beneath a folder leads. */
struct place {
    struct inode *folder;
    struct inode *inode; /* NULL: the folder has no such name */
    char name[FILE_NAME_SIZE];
    bool is_slashed; /* it ends with a slash, and so can only be a folder's */
};

/* 0, -ENOENT or -ENOTDIR on the way there, -EXDEV for a path that could leave the folder, -ENAMETOOLONG. */
int place_find(struct inode *folder, const char *path, struct place *place_out);

/* ---- content.c ---- */

void content_free(struct content *content);
int content_write(struct inode *inode, const uint8_t *bytes, size_t length, uint64_t offset); /* 0 or -ENOSPC */
void content_sync(struct inode *inode);
void content_sync_badly(struct inode *inode); /* some dirty pages are given up, and nobody will try again */
void content_crash(struct inode *inode);
struct attribute *attribute_find(const struct content *content, const char *name);
void attribute_put(struct content *content, const char *name, const uint8_t *value, size_t length);

/* ---- journal.c ---- */

/* One name in one folder that stands for another inode than before; NULL: none. */
struct change {
    struct inode *folder;
    char name[FILE_NAME_SIZE];
    struct inode *before, *after;
};

/* That the name of a place stands for `after` from now on. */
struct change change_of(const struct place *place, struct inode *after);

/* Makes one change, or two that are one (a rename): visible now, durable when one of the folders is synced. */
void journal_change(const struct change *changes, unsigned count);
void journal_sync(const struct inode *folder);
void journal_crash(void); /* of what is not durable something becomes it, the rest is forgotten */
void journal_close(void);

/* ---- crash.c ---- */

void disk_crash(void);

/* ---- descriptor.c ---- */

struct descriptor {
    struct inode *inode;
    bool writes;
    char what[64]; /* for people */
};

enum call_kind { CALL_READS, CALL_OPENS, CALL_WRITES, CALL_CREATES }; /* the second of each gives a descriptor */

/* Every call of the face that can fail begins here: 0, or the error that it has to give. */
int call_begin(enum call_kind kind);

int descriptor_open(struct inode *inode, bool writes, const char *what);

/* NULL: there is none, and EBADF is the answer. A number that was open once and is not any more is a broken promise. */
struct descriptor *descriptor_of(int number);

/* The folder of a descriptor, or -EBADF, -ENOTDIR. */
int descriptor_folder(int number, struct inode **folder_out);

/* What every call on a path beneath an open folder begins with: call_begin, and place_find there. */
int call_beneath(enum call_kind kind, int folder, const char *path, struct place *place_out);

void descriptors_end(void);
