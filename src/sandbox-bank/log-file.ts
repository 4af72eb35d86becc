import { appendFileSync, fstatSync } from 'node:fs'
import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Where a line, its newline included, stands in the file: from `start` up to but not including `end`. */
export interface Position {
  readonly start: number
  readonly end: number
}

/** `unknown`: the line may or may not be on the disk. `refused`: it was never handed to the disk. */
export type AppendOutcome = 'durable' | 'unknown' | 'refused'

interface WaitingLine {
  readonly bytes: Buffer
  readonly onDurable: (position: Position) => void
  readonly settle: (outcome: AppendOutcome) => void
}

const NEWLINE = 10
const READ_BLOCK_BYTES = 1 << 20

/**
 * Opens an append-only file of lines, made if missing, and hands over every whole line in order.
 * A torn last line was never acknowledged and is cut off; a line that `onLine` throws on is a refusal
 * to open that names file and line.
 */
export async function openLogFile(
  path: string,
  onLine: (line: string, position: Position) => void
): Promise<LogFile> {
  await mkdir(dirname(path), { recursive: true })
  const handle = await open(path, 'a+', 0o600)
  try {
    const size = await replayLines(handle, path, onLine)
    await handle.truncate(size)
    // A predecessor may have been killed between its write and its fsync: what we tell must be on the disk.
    await handle.sync()
    await syncFolder(dirname(path))
    return new LogFile(handle, size)
  } catch (cause) {
    await handle.close()
    throw cause
  }
}

async function replayLines(
  handle: FileHandle,
  path: string,
  onLine: (line: string, position: Position) => void
): Promise<number> {
  const block = Buffer.allocUnsafe(READ_BLOCK_BYTES)
  let rest: Buffer = Buffer.alloc(0)
  let start = 0
  let lineNumber = 0
  for (;;) {
    const { bytesRead } = await handle.read(block, 0, block.length, start + rest.length)
    if (bytesRead === 0) return start
    const bytes = Buffer.concat([rest, block.subarray(0, bytesRead)])
    let from = 0
    for (let to = bytes.indexOf(NEWLINE); to !== -1; to = bytes.indexOf(NEWLINE, from)) {
      const end = start + to + 1 - from
      lineNumber += 1
      try {
        onLine(bytes.toString('utf8', from, to), { start, end })
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`${path}, line ${lineNumber} is corrupt: ${why}`, { cause })
      }
      start = end
      from = to + 1
    }
    rest = bytes.subarray(from)
  }
}

// Makes a newly created file's name durable too; Windows cannot open a folder.
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Appends lines by group commit: whatever arrives while one fsync runs is written and fsynced together by
 * the next. After the first failure the state of the file is unknown, so it takes nothing more.
 */
export class LogFile {
  #handle: FileHandle
  #size: number
  #waiting: WaitingLine[] = []
  #writing: Promise<void> | undefined
  #failure: Error | undefined

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.#size = size
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Settles once the line is on the disk or never will be by this process; never rejects. */
  append(line: string, onDurable: (position: Position) => void): Promise<AppendOutcome> {
    if (this.#failure !== undefined) return Promise.resolve('refused')
    const bytes = Buffer.from(`${line}\n`)
    return new Promise((settle) => {
      this.#waiting.push({ bytes, onDurable, settle })
      this.#writing ??= this.#writeWaiting()
    })
  }

  /** Reads the lines of one stretch of the file that starts and ends at a line's edge. */
  async readLines({ start, end }: Position): Promise<string[]> {
    const bytes = Buffer.allocUnsafe(end - start)
    for (let filled = 0; filled < bytes.length;) {
      const { bytesRead } = await this.#handle.read(bytes, filled, bytes.length - filled, start + filled)
      if (bytesRead === 0) throw new Error('the log file is shorter than what was written to it')
      filled += bytesRead
    }
    return bytes.toString('utf8', 0, bytes.length - 1).split('\n')
  }

  /** Finishes what waits, then closes the file. */
  async close(): Promise<void> {
    await this.#writing
    this.#failure ??= new Error('the log file is closed')
    await this.#handle.close()
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      // One turn of the event loop: requests that arrived together go to the disk together.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#write(Buffer.concat(batch.map(({ bytes }) => bytes)))
      } catch (cause) {
        this.#fail(batch, cause)
        break
      }
      this.#commit(batch)
    }
    this.#writing = undefined
  }

  async #write(bytes: Buffer): Promise<void> {
    // Into the page cache at once: some 20 KB cost less than a trip through the thread pool.
    appendFileSync(this.#handle.fd, bytes)
    // fdatasync also makes the new size durable; fsync would add the time stamps, a second journal write.
    await this.#handle.datasync()
    const { size, nlink } = fstatSync(this.#handle.fd)
    if (nlink === 0) throw new Error('the log file was deleted')
    if (size !== this.#size + bytes.length) throw new Error('another process wrote to the log file')
  }

  #commit(batch: WaitingLine[]): void {
    for (const { bytes, onDurable, settle } of batch) {
      const start = this.#size
      this.#size += bytes.length
      onDurable({ start, end: this.#size })
      settle('durable')
    }
  }

  #fail(batch: WaitingLine[], cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause)
    this.#failure = new Error(`the log file could not be written: ${why}`, { cause })
    for (const { settle } of batch) settle('unknown')
    for (const { settle } of this.#waiting) settle('refused')
    this.#waiting = []
  }
}
