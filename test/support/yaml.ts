import { createRequire } from 'node:module'

/** The YAML parser that comes with @fastify/swagger, which reads the files of ops/ in tests only. */
const viaSwagger = createRequire(createRequire(import.meta.url).resolve('@fastify/swagger'))

/** Reads a YAML document, with anchors and merge keys. */
export function parseYaml(text: string): unknown {
  const yaml = viaSwagger('yaml') as { parse: (text: string, options: { merge: boolean }) => unknown }
  return yaml.parse(text, { merge: true })
}
