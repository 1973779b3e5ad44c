import { Ajv, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { _ } from 'ajv/dist/compile/codegen/index.js';
import standalone from 'ajv/dist/standalone/index.js';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import { formats } from './formats.ts';
import type { Dialect } from './keywords.ts';
import { needs } from './needs.ts';
import { linearPattern } from './patterns.ts';

/**
 * The source of a validator for a relaxed schema. Takes up to some 10 ms for a usual schema, so it runs in the thread. Throws an Error
 * for what the engine cannot compile. `allProblems` goes on after the first problem.
 */
export function generateValidator(schema: JsonObject, dialect: Dialect, allProblems: boolean): string {
  const engine = new (dialect === 'draft-07' ? Ajv : Ajv2020)(optionsFor(allProblems));
  // The engine keeps schemas by identity and looks into `$schema`, whose meta-schema nobody needs here.
  const { $schema: _dialect, ...rest } = schema;
  const validate = engine.compile(rest);
  return standalone.default(engine, validate);
}

function optionsFor(allErrors: boolean): Options {
  return {
    allErrors,
    // Extensions such as x-mcp-header and unknown formats are legal.
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    addUsedSchema: false,
    // `required: ["toString"]` must not be met by what every object inherits.
    ownProperties: true,
    formats: { ...formats },
    code: {
      source: true,
      regExp: Object.assign(linearPattern, { code: `require("${needs.pattern}")` }),
      formats: _`require(${needs.formats})`,
    },
  };
}
