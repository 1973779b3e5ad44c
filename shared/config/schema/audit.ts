import { z } from 'zod';

export const audit = z
  .strictObject({
    mode: z
      .enum(['required', 'best-effort'])
      .default('required')
      .describe('required: no call runs that cannot be recorded'),
    arguments: z.enum(['plain', 'hmac', 'none']).default('plain').describe('How arguments are recorded'),
    redact: z
      .array(z.string())
      .default(['*password*', '*token*', '*secret*'])
      .describe('Patterns of argument names whose values are never recorded'),
    results: z.enum(['full', 'digest', 'none']).default('digest').describe('How results are recorded'),
  })
  .prefault({})
  .describe('What is recorded of each call');
