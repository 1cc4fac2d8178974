/* The C ABI as a C11 program sees it: layouts, errors without a cluster. */
#include "client/cairn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(cairn_key) == 16, "cairn_key");
_Static_assert(sizeof(cairn_extents) == 24, "cairn_extents");
_Static_assert(sizeof(cairn_transfer) == 96, "cairn_transfer");
_Static_assert(offsetof(cairn_transfer, region) == 16, "cairn_transfer.region");
_Static_assert(offsetof(cairn_transfer, tag) == 32, "cairn_transfer.tag");
_Static_assert(offsetof(cairn_transfer, position) == 44, "cairn_transfer.position");
_Static_assert(offsetof(cairn_transfer, run_key) == 64, "cairn_transfer.run_key");
_Static_assert(sizeof(cairn_completion) == 40, "cairn_completion");
_Static_assert(offsetof(cairn_completion, lease) == 16, "cairn_completion.lease");
_Static_assert(offsetof(cairn_options, coordinators) == 8, "cairn_options.coordinators");
_Static_assert(offsetof(cairn_options, inflight_bytes_max) == 72, "cairn_options");
_Static_assert(offsetof(cairn_namespace, layers) == 56, "cairn_namespace.layers");
_Static_assert(offsetof(cairn_namespace, cache_group) == 88, "cairn_namespace.cache_group");
_Static_assert(offsetof(cairn_put_hints, one_off) == 8, "cairn_put_hints.one_off");
_Static_assert(offsetof(cairn_put_hints, priority) == 12, "cairn_put_hints.priority");
_Static_assert(offsetof(cairn_statistics, get_p99_ns) == 120, "cairn_statistics.get_p99_ns");

static int failures = 0;

static void Expect(int got, int wanted, const char* in_text, int line) {
  if (got == wanted && (in_text == NULL || strstr(cairn_error(), in_text) != NULL)) return;
  ++failures;
  fprintf(stderr, "line %d: code %d, wanted %d; text \"%s\", wanted \"%s\"\n", line, got, wanted,
          cairn_error(), in_text == NULL ? "" : in_text);
}
#define EXPECT_FAILURE(call, code, in_text) Expect((call), (code), (in_text), __LINE__)
#define EXPECT_TRUE(condition) Expect((condition) ? 1 : 0, 1, NULL, __LINE__)

static void NullIsRefusedByName(cairn_client** client) {
  cairn_options options = {.struct_bytes = sizeof options};
  cairn_region* region = NULL;
  EXPECT_FAILURE(cairn_connect(NULL, NULL, client), CAIRN_INVALID_ARGUMENT, "options: NULL");
  EXPECT_FAILURE(cairn_connect(&options, NULL, client), CAIRN_INVALID_ARGUMENT, "namespace: NULL");
  EXPECT_FAILURE(cairn_connect(&options, NULL, NULL), CAIRN_INVALID_ARGUMENT, "out: NULL");
  EXPECT_FAILURE(cairn_register(NULL, &options, 1, &region), CAIRN_INVALID_ARGUMENT,
                 "client: NULL");
  EXPECT_FAILURE(cairn_register_pieces(NULL, NULL, 1, &region), CAIRN_INVALID_ARGUMENT,
                 "client: NULL");
  EXPECT_FAILURE(cairn_get(NULL, NULL, 0, 0, 0), CAIRN_INVALID_ARGUMENT, "client: NULL");
  EXPECT_FAILURE(cairn_put(NULL, NULL, 0, NULL, 0), CAIRN_INVALID_ARGUMENT, "client: NULL");
  EXPECT_FAILURE(cairn_match(NULL, NULL, 0, 0, 0), CAIRN_INVALID_ARGUMENT, "client: NULL");
  EXPECT_TRUE(cairn_poll(NULL, NULL, 1) == 0);
  EXPECT_TRUE(cairn_event_fd(NULL) == -1);
  cairn_wait(NULL, 0);
  EXPECT_TRUE(cairn_advance(NULL, 1, -1, 0, NULL, 1, NULL) == 0);
  cairn_close(NULL);
  cairn_unregister(NULL);
}

static void OptionsAreRefusedByName(cairn_client** client) {
  const cairn_namespace ns = {.struct_bytes = sizeof ns};
  cairn_options options = {0};
  EXPECT_FAILURE(cairn_connect(&options, &ns, client), CAIRN_INVALID_ARGUMENT, "struct_bytes: 0");
  options.struct_bytes = sizeof options;
  EXPECT_FAILURE(cairn_connect(&options, &ns, client), CAIRN_INVALID_ARGUMENT, "tenant_file");
  options.tenant_file = "/does/not/exist";
  EXPECT_FAILURE(cairn_connect(&options, &ns, client), CAIRN_NOT_FOUND, "/does/not/exist");
  options.urgency = "soon";
  EXPECT_FAILURE(cairn_connect(&options, &ns, client), CAIRN_INVALID_ARGUMENT,
                 "options.urgency: \"soon\" must be interactive, standard or batch");
  EXPECT_TRUE(*client == NULL);
}

/* A caller built against a newer header: fine while it leaves the new fields zero. */
static void NewerStructsAreTakenWhileTheirNewFieldsAreZero(cairn_client** client) {
  const cairn_namespace ns = {.struct_bytes = sizeof ns};
  struct {
    cairn_options known;
    uint64_t unknown;
  } newer = {.known = {.struct_bytes = sizeof newer, .tenant_file = "/does/not/exist"}};
  EXPECT_FAILURE(cairn_connect(&newer.known, &ns, client), CAIRN_NOT_FOUND, "/does/not/exist");
  newer.unknown = 1;
  EXPECT_FAILURE(cairn_connect(&newer.known, &ns, client), CAIRN_INVALID_ARGUMENT, "newer");
}

/* And one built against an older header, which ends before the last field. */
static void OlderStructsLackTheirLastFields(cairn_client** client) {
  const cairn_namespace ns = {.struct_bytes = sizeof ns};
  cairn_options options = {.struct_bytes = offsetof(cairn_options, tenant_file),
                           .tenant_file = "/not/known/then"};
  EXPECT_FAILURE(cairn_connect(&options, &ns, client), CAIRN_INVALID_ARGUMENT, "tenant_file: NULL");
}

int main(void) {
  cairn_client* client = NULL;
  NullIsRefusedByName(&client);
  OptionsAreRefusedByName(&client);
  NewerStructsAreTakenWhileTheirNewFieldsAreZero(&client);
  OlderStructsLackTheirLastFields(&client);
  EXPECT_TRUE(cairn_run_start(0) == 0 && cairn_run_start(7) == 4 && cairn_run_start(100) == 96);
  EXPECT_TRUE(strcmp(cairn_miss_reason_name(1), "absent") == 0);
  EXPECT_TRUE(strcmp(cairn_miss_reason_name(9999), "unknown") == 0);
  EXPECT_TRUE(strlen(cairn_version()) > 0);
  if (failures > 0) fprintf(stderr, "%d failed\n", failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
