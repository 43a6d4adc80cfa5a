/*===- session.c - one conversation with a decoder -----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_cache(session *s, sectile_package *package, cache *c, uint32_t number,
                      int64_t longest) {
  sectile_tensor_info past = {.size = sizeof past};
  size_t elements = 1;
  int32_t i;
  c->input = number;
  c->output = number;
  c->dim = -1;
  c->capacity = -1;
  sectile_package_get_input(package, number, &past);
  c->rank = past.rank;
  if (past.dtype != SECTILE_F32 || past.rank > MAX_RANK) {
    fprintf(stderr, "decode: '%s' is no cache that this program knows\n", past.name);
    return 0;
  }
  if (past.alias >= 0) {
    sectile_alias_info alias = {.size = sizeof alias};
    sectile_package_get_alias(package, (uint32_t)past.alias, &alias);
    c->output = alias.output;
    c->capacity = alias.capacity;
  }
  for (i = 0; i < past.rank; ++i) {
    /* The first dynamic dimension is the batch, the second one grows. */
    int64_t extent = past.dims[i];
    c->dims[i] = extent;
    if (extent < 0 && i == 0) {
      c->dims[i] = extent = s->batch;
    } else if (extent < 0) {
      c->dim = i;
      c->dims[i] = 0;
      extent = c->capacity >= 0 ? c->capacity : longest;
    }
    elements *= (size_t)extent;
  }
  if (c->dim < 0) {
    fprintf(stderr, "decode: '%s' has no dimension that grows\n", past.name);
    return 0;
  }
  c->bytes = elements * sizeof(float);
  c->past = malloc(c->bytes + 1); /* an empty buffer needs an address too */
  c->present = c->capacity >= 0 ? NULL : malloc(c->bytes + 1);
  if (!c->past || (c->capacity < 0 && !c->present)) {
    fprintf(stderr, "decode: out of memory for %zu bytes of '%s'\n", c->bytes, past.name);
    return 0;
  }
  return 1;
}

int session_open(session *s, sectile_package *package, int64_t batch, int64_t longest) {
  char message[256];
  sectile_package_info info = {.size = sizeof info};
  uint32_t i;
  memset(s, 0, sizeof *s);
  s->batch = batch;
  sectile_package_get_info(package, &info);
  if (info.num_inputs < 2 || info.num_outputs != info.num_inputs ||
      info.num_inputs - 1 > MAX_CACHES) {
    fprintf(stderr, "decode: expects a decoder with caches, but got %u inputs and %u outputs\n",
            info.num_inputs, info.num_outputs);
    return 0;
  }
  if (sectile_context_create(package, NULL, &s->context, message, sizeof message)) {
    fprintf(stderr, "decode: %s\n", message);
    return 0;
  }
  for (i = 1; i < info.num_inputs; ++i)
    if (!open_cache(s, package, &s->caches[s->num_caches++], i, longest))
      return 0;
  return 1;
}

sectile_status session_step(session *s, const int64_t *tokens) {
  sectile_tensor inputs[MAX_CACHES + 1] = {{0}}, outputs[MAX_CACHES + 1] = {{0}};
  int64_t ids[2] = {s->batch, 1};
  sectile_status status;
  uint32_t i;
  inputs[0].data = (void *)tokens; /* inputs are only read */
  inputs[0].bytes = (uint64_t)s->batch * sizeof *tokens;
  inputs[0].dtype = SECTILE_I64;
  inputs[0].rank = 2;
  inputs[0].dims = ids;
  for (i = 0; i < s->num_caches; ++i) {
    cache *c = &s->caches[i];
    sectile_tensor *in = &inputs[c->input], *out = &outputs[c->output];
    c->dims[c->dim] = s->length;
    in->data = c->past;
    in->bytes = c->bytes;
    in->dtype = SECTILE_F32;
    in->rank = c->rank;
    in->dims = c->dims;
    /* With an alias, null stands for the input's buffer. */
    out->data = c->present;
    out->bytes = c->present ? c->bytes : 0;
  }
  status = sectile_context_run(s->context, inputs, s->num_caches + 1, outputs, s->num_caches + 1);
  if (status)
    return status;
  s->logits = outputs[0].data; /* the context's memory, until its next call */
  s->vocabulary = outputs[0].dims[outputs[0].rank - 1];
  ++s->length;
  for (i = 0; i < s->num_caches; ++i) {
    cache *c = &s->caches[i];
    if (c->present) {
      float *old = c->past;
      c->past = c->present;
      c->present = old;
    }
  }
  return SECTILE_OK;
}

int64_t session_best(const session *s, int64_t row) {
  const float *logits = s->logits + row * s->vocabulary;
  int64_t best = 0, i;
  for (i = 1; i < s->vocabulary; ++i)
    if (logits[i] > logits[best])
      best = i;
  return best;
}

void session_close(session *s) {
  uint32_t i;
  for (i = 0; i < s->num_caches; ++i) {
    free(s->caches[i].past);
    free(s->caches[i].present);
  }
  sectile_context_destroy(s->context);
}
