import { isJsonObject, type JsonValue } from '../../../shared/mcp/json.ts';

/**
 * The keywords a validator acts on: what their values must look like, and where subschemas stand in them. Everything else in a schema is
 * an annotation or an extension and is left alone.
 */

export type Dialect = '2020-12' | 'draft-07';

/** `here`: applies to the same value. `below`: to members or items of it. `never`: only where a reference leads there. */
export type Reach = 'here' | 'below' | 'never';

export interface Applicator {
  readonly reach: Reach;
  /** A schema; a list of them; a map of names to them; a schema or a list; a map of names to schemas or lists of names. */
  readonly holds: 'one' | 'list' | 'map' | 'one-or-list' | 'dependencies';
}

const common: readonly (readonly [string, Applicator])[] = [
  ['allOf', { reach: 'here', holds: 'list' }],
  ['anyOf', { reach: 'here', holds: 'list' }],
  ['oneOf', { reach: 'here', holds: 'list' }],
  ['not', { reach: 'here', holds: 'one' }],
  ['if', { reach: 'here', holds: 'one' }],
  ['then', { reach: 'here', holds: 'one' }],
  ['else', { reach: 'here', holds: 'one' }],
  ['dependencies', { reach: 'here', holds: 'dependencies' }],
  ['properties', { reach: 'below', holds: 'map' }],
  ['patternProperties', { reach: 'below', holds: 'map' }],
  ['additionalProperties', { reach: 'below', holds: 'one' }],
  ['propertyNames', { reach: 'below', holds: 'one' }],
  ['contains', { reach: 'below', holds: 'one' }],
  ['$defs', { reach: 'never', holds: 'map' }],
  ['definitions', { reach: 'never', holds: 'map' }],
];

const applicators: Readonly<Record<Dialect, ReadonlyMap<string, Applicator>>> = {
  '2020-12': new Map([
    ...common,
    ['dependentSchemas', { reach: 'here', holds: 'map' }],
    ['prefixItems', { reach: 'below', holds: 'list' }],
    ['items', { reach: 'below', holds: 'one' }],
    ['unevaluatedProperties', { reach: 'below', holds: 'one' }],
    ['unevaluatedItems', { reach: 'below', holds: 'one' }],
  ]),
  'draft-07': new Map([
    ...common,
    ['items', { reach: 'below', holds: 'one-or-list' }],
    ['additionalItems', { reach: 'below', holds: 'one' }],
  ]),
};

export function applicatorsOf(dialect: Dialect): ReadonlyMap<string, Applicator> {
  return applicators[dialect];
}

/** Keywords of one dialect that mean nothing in the other, so that the engine must not see them there. */
export const foreignKeywords: Readonly<Record<Dialect, readonly string[]>> = {
  '2020-12': ['additionalItems'],
  'draft-07': [],
};

type Check = (value: JsonValue | undefined) => boolean;

const typeNames: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null']);
const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isFlag: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0;
const isNames: Check = (value) => Array.isArray(value) && value.every(isText) && new Set(value).size === value.length;

/** What each keyword must be. Keywords of the other dialect are harmless where they have this form. */
const forms: ReadonlyMap<string, { readonly is: Check; readonly says: string }> = new Map([
  ['type', { is: isType, says: 'is no type of JSON' }],
  ['enum', { is: (value) => Array.isArray(value) && value.length > 0, says: 'is not a list of values' }],
  ['multipleOf', { is: (value) => typeof value === 'number' && value > 0, says: 'is not a number above 0' }],
  ...['maximum', 'minimum', 'exclusiveMaximum', 'exclusiveMinimum'].map(
    (keyword) => [keyword, { is: isNumber, says: 'is not a number' }] as const,
  ),
  ...[
    'maxLength',
    'minLength',
    'maxItems',
    'minItems',
    'maxProperties',
    'minProperties',
    'maxContains',
    'minContains',
  ].map((keyword) => [keyword, { is: isCount, says: 'is not a whole number from 0' }] as const),
  ['uniqueItems', { is: isFlag, says: 'is neither true nor false' }],
  ['required', { is: isNames, says: 'is not a list of different names' }],
  [
    'dependentRequired',
    {
      is: (value) => isJsonObject(value) && Object.values(value).every(isNames),
      says: 'is not a map of lists of names',
    },
  ],
  ...['pattern', 'format', '$ref', '$id', '$anchor', '$dynamicRef', '$dynamicAnchor'].map(
    (keyword) => [keyword, { is: isText, says: 'is not text' }] as const,
  ),
]);

function isType(value: JsonValue | undefined): boolean {
  if (!Array.isArray(value)) return typeNames.has(value);
  return value.length > 0 && value.every((one) => typeNames.has(one)) && new Set(value).size === value.length;
}

/** Why a keyword cannot be used as it is; undefined when it can, or when it is none. */
export function faultOfKeyword(keyword: string, value: JsonValue | undefined): string | undefined {
  const form = forms.get(keyword);
  return form === undefined || form.is(value) ? undefined : `"${keyword}" ${form.says}`;
}
