/// The boot menu's configuration: `key: value` lines and `/Entry` headings, as in limine.conf.
/// The loader and the host tool share this parser; docs/boot.md lists the keys.
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H

#include "def.h"

enum { CONF_PAIRS_MAX = 256, CONF_ENTRIES_MAX = 32, CONF_TEXT_MAX = 32768, CONF_FILE_MAX = 65536 };

struct conf_pair {
    const char *key, *value; ///< key in lower case, aliases resolved
    u32 line;
};

struct conf_entry {
    const char *title;
    u32 first, count; ///< its pairs
    u32 line;
    u8 depth;    ///< 1 for "/Entry"
    bool is_dir; ///< an entry of greater depth follows
};

struct conf {
    struct conf_pair pair[CONF_PAIRS_MAX];
    struct conf_entry entry[CONF_ENTRIES_MAX];
    char text[CONF_TEXT_MAX];
    u32 pairs, entries, used;
    u32 globals; ///< pairs before the first entry
    u32 warnings;
    /// Called for what is odd but no reason to stop; may be NULL.
    void (*warn)(void *context, u32 line, const char *text);
    void *context;
};

/// Parses a file. in  arch  "aarch64" or "x86-64", the value of ${ARCH}
/// ret  false on a fault that makes the rest meaningless; unknown keys only warn
bool conf_parse(struct conf *c, const char *file, u64 len, const char *arch,
                struct br_why *why) MUST_USE;

/// The n-th value of a key. in  entry  index, or -1 for the global keys. ret  NULL if absent
const char *conf_get(const struct conf *c, int entry, const char *key, u32 n);
/// A yes/no key. ret  fallback if absent or neither
bool conf_yes(const struct conf *c, int entry, const char *key, bool fallback);
/// The string that belongs to the n-th module_path of an entry, or "".
const char *conf_module_string(const struct conf *c, int entry, u32 n);

/// A path of the configuration taken apart.
struct conf_path {
    char path[256]; ///< absolute, with '/'
    u8 hash[64];
    u32 hash_len; ///< 0 none, 32 SHA-256, 64 BLAKE2b-512
};
/// Accepts /x, boot():/x, boot:///x, each with #hash.
bool conf_path_parse(const char *value, struct conf_path *out, struct br_why *why) MUST_USE;

#endif
