import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../mcp/json.ts';
import { type ExportEnd, type ExportHeader, recordVersion } from './record.ts';

/**
 * Writes an export: a header, the checkpoints, the records in the order of the stream, and an end without which the file counts as cut off.
 * Each function returns the line to write, without its line break.
 */
export interface ExportWriter {
  header(facts: { readonly tenant: string; readonly time: string; readonly filters?: JsonObject | undefined }): string;
  checkpoint(line: string): string;
  record(line: string): string;
  end(): string;
}

export function createExportWriter(): ExportWriter {
  const digest = createHash('sha256');
  let records = 0;
  let checkpoints = 0;
  const add = (line: string): string => {
    digest.update(`${line}\n`);
    return line;
  };
  return {
    header({ tenant, time, filters }) {
      const header: ExportHeader = { v: recordVersion, kind: 'export', time, tenant, ...(filters && { filters }) };
      return add(JSON.stringify(header));
    },
    checkpoint(line) {
      checkpoints += 1;
      return add(line);
    },
    record(line) {
      records += 1;
      return add(line);
    },
    end() {
      const end: ExportEnd = {
        v: recordVersion,
        kind: 'export_end',
        records,
        checkpoints,
        sha256: digest.copy().digest('hex'),
      };
      return JSON.stringify(end);
    },
  };
}

/** The kind of an export's line, from its JSON; undefined for what is none. */
export function kindOfLine(line: string): { readonly kind: string; readonly value: JsonObject } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) && typeof value.kind === 'string' ? { kind: value.kind, value } : undefined;
  } catch {
    return undefined;
  }
}
