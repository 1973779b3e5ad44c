import { readRecord } from '../../../shared/audit/read-record.ts';
import type { AuditRecord } from '../../../shared/audit/record.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import { outcomeOf } from '../record-filter.ts';
import type { Sink } from './sink.ts';

export interface OtlpSinkOptions {
  /** Base URL of the collector, as OTEL_EXPORTER_OTLP_ENDPOINT: `/v1/logs` is added where it is not there. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tenant: string;
  readonly version: string;
}

const timeoutMs = 10_000;
/** Severity numbers of OpenTelemetry's log data model. */
const severity = { info: 9, warn: 13, error: 17 } as const;

/**
 * Records as OpenTelemetry logs over OTLP/HTTP in its JSON encoding (opentelemetry-proto, "OTLP/HTTP Request"). Written by hand: the exporter
 * packages need Node 22.
 */
export function createOtlpSink({ endpoint, headers, tenant, version }: OtlpSinkOptions): Sink {
  const url = endpoint.endsWith('/v1/logs') ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/logs`;
  const resource = {
    attributes: [text('service.name', 'toolbus'), text('service.version', version), text('toolbus.tenant', tenant)],
  };
  return {
    name: 'otlp',
    async write(lines) {
      const logRecords = lines.flatMap((line) => {
        const record = readRecord(line);
        return record === undefined ? [] : [logRecord(record, line)];
      });
      if (logRecords.length === 0) return;
      const scopeLogs = [{ scope: { name: 'toolbus.audit', version }, logRecords }];
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the collector answered HTTP ${response.status}`);
    },
    close: async () => undefined,
  };
}

function logRecord(record: AuditRecord, line: string): JsonObject {
  const nanos = `${Date.parse(record.time)}000000`;
  const level = severityOf(record);
  return {
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    severityNumber: severity[level],
    severityText: level.toUpperCase(),
    // The very line that was hashed, so that the chain can be verified from the log store.
    body: { stringValue: line },
    attributes: attributesOf(record),
    ...('trace' in record && record.trace !== undefined && { traceId: record.trace }),
  };
}

function severityOf(record: AuditRecord): keyof typeof severity {
  if (record.kind === 'refusal') return 'warn';
  if (record.kind === 'event') return record.event === 'audit_gap' ? 'error' : 'info';
  const outcome = outcomeOf(record);
  return outcome === undefined || outcome === 'ok' || outcome === 'input_required' || outcome === 'task'
    ? 'info'
    : 'warn';
}

function attributesOf(record: AuditRecord): JsonObject[] {
  const named: Readonly<Record<string, string | undefined>> = {
    'event.name': `toolbus.audit.${record.kind}`,
    'toolbus.record.id': record.id,
    'toolbus.writer': record.writer,
    'toolbus.outcome': outcomeOf(record),
    ...(record.kind !== 'event' && {
      'toolbus.call.id': record.call,
      'toolbus.agent': record.agent,
      'toolbus.server': record.server,
      'mcp.method.name': record.method,
      'gen_ai.tool.name': record.tool,
    }),
    ...(record.kind === 'event' && { 'toolbus.event': record.event }),
  };
  return Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [text(name, value)]));
}

function text(key: string, stringValue: string): JsonObject {
  return { key, value: { stringValue } };
}
