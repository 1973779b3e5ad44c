/** Names under which generated code asks for what it needs; see generate.ts and instantiate.ts. */
export const needs = { pattern: 'toolbus/pattern', formats: 'toolbus/formats' } as const;
