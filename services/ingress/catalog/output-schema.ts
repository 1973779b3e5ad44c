import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';

/**
 * A legacy client refuses a whole list in which an `outputSchema` is not of type `object`, so those agents get schema and value
 * wrapped as `{ result: … }`. The legacy edge wraps the value where `wrapsOutput` says so.
 */
export function wrapsOutput(definition: JsonObject | undefined): boolean {
  const schema = definition?.outputSchema;
  return schema !== undefined && !(isJsonObject(schema) && schema.type === 'object');
}

/** The schema of `{ result: value }` for a schema of `value`. */
export function wrapOutputSchema(schema: JsonValue): JsonObject {
  const wrapper = { type: 'object', required: ['result'] };
  // References inside a schema with an `$id` do not leave it.
  if (!isJsonObject(schema) || typeof schema.$id === 'string') return { ...wrapper, properties: { result: schema } };
  const { $schema, $defs, definitions, ...rest } = schema;
  return {
    ...($schema === undefined ? {} : { $schema }),
    ...wrapper,
    properties: { result: moveReferences(rest) },
    ...($defs === undefined ? {} : { $defs: moveReferences($defs) }),
    ...(definitions === undefined ? {} : { definitions: moveReferences(definitions) }),
  };
}

/** References to the old root or below it now lead to `#/properties/result`; `$defs` and `definitions` stayed at the root. */
function moveReferences(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(moveReferences);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([member, inner]) => [
      member,
      member === '$ref' && typeof inner === 'string' ? moveReference(inner) : moveReferences(inner ?? null),
    ]),
  );
}

function moveReference(reference: string): string {
  const moved = reference === '#' || (reference.startsWith('#/') && !/^#\/(\$defs|definitions)(\/|$)/.test(reference));
  return moved ? `#/properties/result${reference.slice(1)}` : reference;
}
