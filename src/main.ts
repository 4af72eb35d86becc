import { Command } from 'commander'
import { demo } from './cli/demo.ts'
import { incidentsCommand } from './cli/incidents.ts'
import { migrateCommand } from './cli/migrate.ts'
import { resolveCommand, resolveIncidentCommand } from './cli/resolve.ts'
import { sandboxBank } from './cli/sandbox-bank.ts'
import { start } from './cli/start.ts'
import { UsageError } from './cli/usage-error.ts'
import { verifyCommand } from './cli/verify.ts'

const program = new Command('bulkhead').description('Bulk credit transfer engine')

program
  .command('start', { isDefault: true })
  .description('run the API, the workers and whatever they need')
  .option('--manual', 'pause the workers; GET /internal/jobs/transfer executes one transfer at a time')
  .action(async (options: { manual?: boolean }) => {
    await start({ manual: options.manual ?? false })
  })
program
  .command('verify')
  .description('prove the invariants from the database and the log of the bank')
  .action(verifyCommand)
program
  .command('demo')
  .description('submit a payroll of 1000 to the running server and watch it')
  .option('--count <number>', 'number of transfers', '1000')
  .action(async (options: { count: string }) => {
    await demo(Number(options.count))
  })
program
  .command('resolve')
  .description('end a transfer whose outcome the bank does not tell, by evidence')
  .argument('<transfer_id>')
  .requiredOption('--status <status>', 'EXECUTED or FAILED')
  .option('--reason <code>', 'ISO 20022 reason code of a failure')
  .requiredOption('--operator <name>', 'who decides')
  .requiredOption('--evidence <text>', 'how it is known')
  .action(resolveCommand)
program.command('incidents').description('list every open incident').action(incidentsCommand)
program
  .command('resolve-incident')
  .description('end an incident that does not end by itself, once somebody has looked into it')
  .argument('<incident_no>')
  .requiredOption('--operator <name>', 'who decides')
  .requiredOption('--evidence <text>', 'what was found')
  .action(resolveIncidentCommand)
program.command('migrate').description('bring the schema of DATABASE_URL up to date').action(migrateCommand)
program.command('sandbox-bank').description('run the sandbox bank alone').action(sandboxBank)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}
