import { z } from 'zod';
import { referenceForms } from './references.ts';
import { configSchema, serverName } from './schema.ts';

/** JSON Schema (draft 2020-12) of the configuration file, for editors. Made from the zod schema; never edited by hand. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ zodSchema, jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      const { type, format, pattern, enum: values } = jsonSchema;
      const checked = type === 'string' && (format !== undefined || pattern !== undefined || values !== undefined);
      if (zodSchema === serverName || (!checked && !['integer', 'number', 'boolean'].includes(String(type)))) return;
      // A reference may stand for any scalar; its value is checked when it is known.
      const { description, default: fallback, ...own } = jsonSchema;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      if (description !== undefined) jsonSchema.description = description;
      if (fallback !== undefined) jsonSchema.default = fallback;
      jsonSchema.anyOf = [own, { $ref: '#/$defs/reference' }];
    },
  });
  const { properties, $defs, ...rest } = schema;
  return {
    ...rest,
    title: 'toolbus configuration',
    description: `In every text value: ${referenceForms}.`,
    properties: {
      ...properties,
      mcpServers: {
        description: "The servers of a client's file (Claude, Cursor and others); the same as `servers`",
        type: 'object',
        additionalProperties: { $ref: '#/$defs/server' },
      },
    },
    $defs: {
      ...$defs,
      reference: { description: `A reference: ${referenceForms}`, type: 'string', pattern: '\\$\\{[^}]+\\}' },
    },
  };
}
