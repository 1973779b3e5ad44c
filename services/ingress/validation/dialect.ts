import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Dialect } from './keywords.ts';

const known: ReadonlyMap<string, Dialect> = new Map([
  ['json-schema.org/draft/2020-12/schema', '2020-12'],
  ['json-schema.org/draft-07/schema', 'draft-07'],
]);

/**
 * The dialect that a schema names, `unnamed` when it names none (then MCP means 2020-12), undefined for one that toolbus does not speak.
 */
export function dialectOf(schema: JsonObject): Dialect | 'unnamed' | undefined {
  const { $schema } = schema;
  if ($schema === undefined) return 'unnamed';
  if (typeof $schema !== 'string') return undefined;
  return known.get($schema.replace(/^https?:\/\//, '').replace(/#$/, ''));
}
