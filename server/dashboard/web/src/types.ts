// The coordinator's answers as protobuf writes them in JSON (proto/cairn/v1/overview.proto): 64-bit
// integers are strings, bytes are base64.

export type Int = string | number;

export type Tier = "DRAM_TIER" | "NVME_TIER" | "UNKNOWN_TIER";
export type Urgency = "STANDARD" | "INTERACTIVE" | "BATCH";
export type StageName = "TOTAL" | "LOOKUP" | "QUEUE" | "MEDIA" | "NETWORK" | "VERIFY";

export interface Series {
  stage: StageName;
  tier: Tier;
  size_class: number;
  tenant_id: number;
  transport: string;
  urgency: Urgency;
  counts: Int[];
  sum_ns: Int;
}

export interface Hits {
  requested_blocks: Int;
  hit_blocks: Int;
  requested_tokens: Int;
  hit_tokens: Int;
  misses: { reason: string; blocks: Int; tokens: Int }[];
  answered: Int;
  late: Int;
}

export interface Objective {
  name: string;
  kind: "LATENCY" | "ANSWERED";
  tenant: string;
  tier: Tier;
  size_class: number;
  urgency?: Urgency; // all, if it is absent
  threshold_ns: Int;
  target_ppm: number;
  window_s: Int;
}

export interface Burn {
  long_window_s: Int;
  short_window_s: Int;
  factor: number;
  long_rate: number;
  short_rate: number;
  firing: boolean;
  severity: string;
}

export interface ObjectiveState {
  objective: Objective;
  good: Int;
  total: Int;
  attainment: number;
  budget_left: number;
  burns: Burn[];
  exhausted_in_s: Int;
  verdict: string;
  history_s: Int;
}

export interface Finding {
  id: string;
  severity: string;
  title: string;
  evidence: string;
  remedy: string;
  since_unix_ms: Int;
  subject: string;
}

export interface ClusterEvent {
  sequence: Int;
  unix_ms: Int;
  kind: string;
  subject: string;
  text: string;
}

export interface Nvme {
  capacity_bytes: Int;
  used_bytes: Int;
  blocks: Int;
  hits: Int;
  read_bytes: Int;
  written_bytes: Int;
  errors: Int;
  drives_failed: number;
  write_budget_bytes: Int;
  write_budget_left_bytes: Int;
}

export interface Counters {
  gets: Int;
  get_hits: Int;
  get_bytes: Int;
  puts: Int;
  put_bytes: Int;
  evicted_blocks: Int;
  checksum_failures: Int;
  conflicts: Int;
  sessions: Int;
}

export interface Node {
  node_id: string;
  incarnation: Int;
  state: string;
  reactor_addresses: string[];
  http_address: string;
  capacity_bytes: Int;
  used_bytes: Int;
  block_count: Int;
  pinned_blocks: Int;
  last_heartbeat_age_ms: Int;
  indexed_blocks: Int;
  counters?: Counters;
  version: string;
  nvme?: Nvme;
  queued_blocks: Int;
  transport: string;
}

export interface Status {
  cluster_id: string;
  nodes: Node[];
  indexed_blocks: Int;
  index_bytes: Int;
  index_bytes_max: Int;
  sessions_opened: Int;
  locates: Int;
  tenants: number;
  uptime_ms: Int;
}

export interface KnownNamespace {
  tenant: string;
  namespace_id: string;
  ns?: { model: string; kv_dtype: string; layout: string; tokens_per_block: number };
  sessions_opened: Int;
  blocks_asked: Int;
  blocks_found: Int;
  last_use_age_ms: Int;
}

export interface Overview {
  unix_ms: Int;
  version: string;
  status?: Status;
  objectives: ObjectiveState[];
  findings: Finding[];
  node_latency: Series[];
  client_latency: Series[];
  hits?: Hits;
  edges_ns: Int[];
  size_class_bytes: Int[];
  events: ClusterEvent[];
  namespaces: KnownNamespace[];
  tenants: { name: string; id: number }[];
}

export interface Point {
  unix_s: Int;
  node_latency: Series[];
  client_latency: Series[];
  hits?: Hits;
  used_bytes: Int;
  capacity_bytes: Int;
  nodes_ready: number;
  evicted_blocks: Int;
  nvme_written_bytes: Int;
}

export interface History {
  points: Point[];
  step_s: number;
}

export interface Problem {
  code: string;
  message: string;
}
