import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'

// A bank in a process of its own, to be killed: node run-bank.ts <log file>, answers its url over IPC.
const bank = await startSandboxBank({ port: 0, logFile: process.argv[2] ?? '' })
process.send?.(bank.url)
process.on('disconnect', () => process.exit())
