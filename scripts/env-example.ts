import { settingsSchema } from '../src/settings.ts'

/** .env.example: every setting with its default and meaning, none of them set. */
export function envExample(): string {
  const settings = Object.entries(settingsSchema.shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined)
    const value = fallback.success && fallback.data !== undefined ? String(fallback.data) : ''
    return `${wrap(schema.description ?? '')}\n#${name}=${value}`
  })
  return `# Made from the code by \`npm run generate\`; do not edit. Copy it to .env, take the # from what you set, and start
# with: node --env-file=.env src/main.ts start. What is not set has the value that is shown.

${settings.join('\n\n')}
`
}

function wrap(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length > 116) lines.push(`# ${word}`)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines.join('\n')
}
