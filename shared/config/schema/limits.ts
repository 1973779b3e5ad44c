import { z } from 'zod';
import { limitFields, positive } from './fields.ts';

export const limits = z
  .strictObject({
    ...limitFields,
    concurrency: positive.default(2000).describe('Calls in flight at the same time'),
    bodyBytes: positive.default(1_048_576).describe('Largest request body'),
  })
  .prefault({})
  .describe('Limits over everything');
