/** The tools that do something; the rest of a catalog only has size. */
const working = ['echo', 'blob', 'sleep'] as const;

/** About as many bytes as a tool definition of a real server has. */
const definitionBytes = 900;

/** The JSON text of the `tools` array: the working tools, then `tool_0003` … up to `count`, each definition about 900 bytes. */
export function catalogJson(count: number): string {
  const tools = Array.from({ length: count }, (_, index) =>
    definition(working[index] ?? `tool_${String(index).padStart(4, '0')}`),
  );
  return `[${tools.join(',')}]`;
}

function definition(name: string): string {
  const tool = {
    name,
    title: `Benchmark tool ${name}`,
    description: '',
    inputSchema: {
      type: 'object',
      properties: {
        text: { type: 'string', description: 'Text that comes back unchanged.' },
        bytes: { type: 'integer', minimum: 0, description: 'Length of the text to answer with.' },
        ms: { type: 'integer', minimum: 0, description: 'Milliseconds to wait before answering.' },
      },
    },
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  };
  const missing = definitionBytes - JSON.stringify(tool).length;
  return JSON.stringify({ ...tool, description: 'Looks up records by their keys. '.repeat(40).slice(0, missing) });
}
