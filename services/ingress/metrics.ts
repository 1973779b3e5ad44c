import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { GatewayError } from '../../shared/errors.ts';
import { rpcCode } from '../../shared/mcp/json-rpc.ts';
import type { BreakerState, InstanceStatus } from '../../shared/mcp/manifest.ts';
import type { AgentReply, AgentRequest, Handle } from './request.ts';

/** OpenTelemetry's buckets for MCP durations, in seconds (semantic-conventions-genai, docs/gen-ai/mcp). */
const durationBuckets = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** The gateway's own share begins far below 10 ms. */
const overheadBuckets = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/** Tools and methods with a label of their own; later ones share `other`, so that no caller can grow the number of series. */
const maxLabels = 1_000;

const breakerNumber: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };
const knownMethods = new Set([
  'tools/call',
  'tools/list',
  'prompts/get',
  'prompts/list',
  'resources/read',
  'resources/list',
  'resources/templates/list',
  'completion/complete',
  'tasks/get',
  'tasks/update',
  'tasks/cancel',
]);

/** Codes of JSON-RPC and MCP have a label of their own; a server may invent any number of others. */
function codeLabel(code: number): string {
  return wellKnownCodes.has(code) ? String(code) : 'other';
}

const wellKnownCodes: ReadonlySet<number> = new Set(Object.values(rpcCode));

interface Source {
  readonly server: string;
  readonly tool: string;
}

/** The series that one kind of request goes into. */
interface Series {
  readonly operation: Histogram.Internal<string>;
  readonly overhead: Histogram.Internal<string>;
  readonly upstream?: Histogram.Internal<string>;
  readonly calls?: Counter.Internal;
}

export interface Metrics {
  readonly registry: Registry;
  /** The same handler, measured. */
  measure(handle: Handle): Handle;
}

export interface MetricsSources {
  readonly version: string;
  instances(): readonly InstanceStatus[];
  load(): ReadonlyMap<string, { readonly waiting: number; readonly inFlight: number }>;
  lateFrames(): number;
}

export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const operation = new Histogram({
    name: 'mcp_server_operation_duration_seconds',
    help: 'Time from the arrival of an MCP request to its answer.',
    labelNames: ['mcp_method_name', 'gen_ai_tool_name', 'error_type'],
    buckets: durationBuckets,
    registers,
  });
  const upstream = new Histogram({
    name: 'mcp_client_operation_duration_seconds',
    help: 'Time a worker waited for its upstream server.',
    labelNames: ['mcp_method_name', 'server'],
    buckets: durationBuckets,
    registers,
  });
  const overhead = new Histogram({
    name: 'toolbus_gateway_overhead_seconds',
    help: 'The share of a request that toolbus itself took: everything but the upstream.',
    labelNames: ['mcp_method_name'],
    buckets: overheadBuckets,
    registers,
  });
  const calls = new Counter({
    name: 'toolbus_tool_calls_total',
    help: 'Tool calls by outcome: ok, tool_error, a JSON-RPC code, or a reason of toolbus.',
    labelNames: ['server', 'tool', 'outcome'],
    registers,
  });
  const refusals = new Counter({
    name: 'toolbus_refusals_total',
    help: 'Requests that toolbus answered with an error of its own.',
    labelNames: ['reason'],
    registers,
  });
  new Gauge({
    name: 'toolbus_inflight',
    help: 'Calls on their way to a server, from this ingress.',
    labelNames: ['server'],
    registers,
    collect() {
      this.reset();
      for (const [server, { inFlight }] of sources.load()) this.set({ server }, inFlight);
    },
  });
  new Gauge({
    name: 'toolbus_waiting',
    help: 'Calls that wait for a free slot of a server, in this ingress.',
    labelNames: ['server'],
    registers,
    collect() {
      this.reset();
      for (const [server, { waiting }] of sources.load()) this.set({ server }, waiting);
    },
  });
  new Gauge({
    name: 'toolbus_breaker_state',
    help: 'Circuit breaker of a worker: 0 closed, 1 half-open, 2 open.',
    labelNames: ['server', 'instance'],
    registers,
    collect() {
      this.reset();
      for (const { server, instance, breaker } of sources.instances())
        this.set({ server, instance }, breakerNumber[breaker]);
    },
  });
  new Gauge({
    name: 'toolbus_late_frames',
    help: 'Frames that came for calls already answered.',
    registers,
    collect() {
      this.set(sources.lateFrames());
    },
  });
  new Gauge({ name: 'toolbus_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set(
    { version: sources.version },
    1,
  );

  const toolLabels = new Set<string>();
  /** Only tools that exist get a label: the server found them in its catalog. */
  function toolLabel(server: string, tool: string): string {
    const label = `${server}__${tool}`;
    if (toolLabels.has(label)) return label;
    if (toolLabels.size >= maxLabels) return 'other';
    toolLabels.add(label);
    return label;
  }

  /** Series by their labels: prom-client hashes the labels of every observation, these are looked up once. */
  const series = new Map<string, Series>();
  function seriesOf(request: AgentRequest, source: Source | undefined, error: string | undefined): Series {
    const method = knownMethods.has(request.method) ? request.method : 'other';
    const key = `${method}\n${source?.server ?? ''}\n${source?.tool ?? ''}\n${error ?? ''}`;
    const known = series.get(key);
    if (known !== undefined) return known;
    const tool = source === undefined ? '' : toolLabel(source.server, source.tool);
    const made: Series = {
      operation: operation.labels({ mcp_method_name: method, gen_ai_tool_name: tool, error_type: error ?? '' }),
      overhead: overhead.labels({ mcp_method_name: method }),
      ...(source !== undefined && {
        upstream: upstream.labels({ mcp_method_name: method, server: source.server }),
        calls: calls.labels({
          server: source.server,
          tool: tool === 'other' ? 'other' : source.tool,
          outcome: error ?? 'ok',
        }),
      }),
    };
    if (series.size < maxLabels * 4) series.set(key, made);
    return made;
  }

  function record(
    request: AgentRequest,
    reply: AgentReply | undefined,
    error: string | undefined,
    upstreamMs = 0,
  ): void {
    const total = (performance.now() - request.receivedAt) / 1000;
    const source = reply?.kind === 'result' ? reply.source : undefined;
    const into = seriesOf(request, source, error);
    const upstreamSeconds = (reply?.timing?.upstreamMs ?? upstreamMs) / 1000;
    into.operation.observe(total);
    into.overhead.observe(Math.max(0, total - upstreamSeconds));
    into.upstream?.observe(upstreamSeconds);
    into.calls?.inc();
  }

  return {
    registry,
    measure(handle) {
      return async (request) => {
        try {
          const reply = await handle(request);
          record(
            request,
            reply,
            reply.kind === 'error' ? codeLabel(reply.error.code) : reply.isError === true ? 'tool_error' : undefined,
          );
          return reply;
        } catch (error) {
          if (error instanceof GatewayError) {
            refusals.inc({ reason: error.reason });
            record(request, undefined, error.reason, error.upstreamMs);
          }
          throw error;
        }
      };
    },
  };
}
