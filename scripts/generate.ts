import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { generateFiles } from './generated-files.ts'

const root = path.join(import.meta.dirname, '..')
for (const [file, text] of Object.entries(await generateFiles())) {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
  writeFileSync(path.join(root, file), text)
  process.stdout.write(`${file}\n`)
}
