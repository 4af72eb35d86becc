import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { mutants, type Mutant } from './mutants.ts'

/**
 * Proves the tests: puts one deliberate bug after the other into a copy of the code and expects its tests to fail, which
 * pass without it. Arguments choose mutants by a part of their name.
 */
const root = path.join(import.meta.dirname, '../..')
const parts = [
  'src',
  'test',
  'bench',
  'scripts',
  'migrations',
  'docs',
  'package.json',
  'tsconfig.json',
  'openapi.json'
]
const mostAtOnce = 2
/** A bug that keeps its tests from ending is caught. */
const longestMs = 240_000

const wanted = process.argv.slice(2)
const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)))
const survivors: string[] = []
const queue = [null, ...chosen].values()

await Promise.all(Array.from({ length: mostAtOnce }, work))
if (survivors.length > 0) tell(`\nNot caught: ${survivors.join('; ')}`)
else tell(`\nAll ${chosen.length} mutants were caught, and the code without one passes.`)
process.exit(survivors.length === 0 ? 0 : 1)

function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function work(): Promise<void> {
  for (const mutant of queue) {
    const startedAt = performance.now()
    const caught = await isCaught(mutant)
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    const name = mutant?.name ?? 'the code as it is'
    tell(`${caught ? 'fails ' : 'passes'}  ${seconds.toString().padStart(4)} s  ${name}`)
    if (caught !== (mutant !== null)) survivors.push(name)
  }
}

async function isCaught(mutant: Mutant | null): Promise<boolean> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-mutant-'))
  try {
    for (const part of parts) cpSync(path.join(root, part), path.join(folder, part), { recursive: true })
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'dir')
    if (mutant !== null) mutate(folder, mutant)
    const names = mutant === null ? chosen.flatMap(({ tests }) => tests) : mutant.tests
    const files = [...new Set(names)].map((name) => `test/${name}.test.ts`)
    const { code, output } = await runTests(folder, files, mutant === null ? undefined : longestMs)
    // Of a mutant nobody wants to know what it broke; of the code as it is, everybody.
    if (mutant === null && code !== 0) tell(output)
    return code !== 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A mutant whose place is gone has to be mended, or it would pass for caught or prove nothing. */
function mutate(folder: string, { name, file, find, replace }: Mutant): void {
  const target = path.join(folder, file)
  const code = readFileSync(target, 'utf8')
  if (code.split(find).length !== 2) throw new Error(`mutant "${name}": its text is not once in ${file}`)
  writeFileSync(
    target,
    code.replace(find, () => replace)
  )
}

async function runTests(
  folder: string,
  files: string[],
  timeout: number | undefined
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, ['test/run.ts', ...files], {
    cwd: folder,
    timeout,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env }
  })
  const closed = once(child, 'close')
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await closed) as [number | null]
  return { code: code ?? 1, output: output + errors }
}
