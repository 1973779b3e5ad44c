import { z } from 'zod';

export const cluster = z
  .strictObject({
    secret: z
      .string()
      .default('')
      .describe('Shared by ingresses and workers; empty: the first process mints one and keeps it in NATS'),
    previousSecrets: z
      .array(z.string().min(1))
      .max(7)
      .default([])
      .describe(
        'Secrets that open what was sealed with them and seal nothing: the last one, or the next one, while all processes change over',
      ),
  })
  .prefault({})
  .describe('What the processes of one toolbus share');
