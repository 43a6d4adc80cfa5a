/*===- session.h - one conversation with a decoder -----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef SECTILE_EXAMPLES_DECODE_SESSION_H
#define SECTILE_EXAMPLES_DECODE_SESSION_H

#include "sectile/sectile.h"

enum { MAX_CACHES = 64, MAX_RANK = 8 };

/** Keys or values of one layer. If the package was compiled with an alias for them there is one
 * buffer, laid out for the alias capacity, to which each step appends. Otherwise each step writes
 * past and new rows to a second buffer, and the two change places. */
typedef struct cache {
  uint32_t input, output; /* numbers of past and present */
  int32_t rank;
  int32_t dim;            /* the dimension that grows */
  int64_t capacity;       /* -1: no alias */
  float *past, *present;  /* present is null with an alias */
  size_t bytes;           /* of each buffer */
  int64_t dims[MAX_RANK]; /* of past */
} cache;

/** A batch of sequences that are decoded together: a context and its caches. */
typedef struct session {
  sectile_context *context;
  int64_t batch;
  int64_t length; /* tokens decoded so far */
  uint32_t num_caches;
  cache caches[MAX_CACHES];
  int64_t vocabulary;
  const float *logits; /* [batch][vocabulary] of the last step */
} session;

/** Opens a session of `batch` sequences of at most `longest` tokens on `package`, a decoder with
 * input "input_ids" [batch, 1], caches "past_*" as its other inputs, "logits" as its first output
 * and "present_*", in the order of the inputs, as the others. Returns 0 and prints why if that
 * fails. */
int session_open(session *s, sectile_package *package, int64_t batch, int64_t longest);

/** Decodes one token of each sequence, which appends it to the caches. */
sectile_status session_step(session *s, const int64_t *tokens);

/** The most likely next token of sequence `row`. */
int64_t session_best(const session *s, int64_t row);

void session_close(session *s);

#endif /* SECTILE_EXAMPLES_DECODE_SESSION_H */
