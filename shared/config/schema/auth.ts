import { z } from 'zod';

export const auth = z
  .strictObject({
    mode: z
      .enum(['keys', 'oauth', 'none'])
      .default('keys')
      .describe('How agents prove who they are; none only on loopback'),
  })
  .prefault({})
  .describe('Authentication of agents');
