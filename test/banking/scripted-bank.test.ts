import { createScriptedBank, logOf } from '../support/scripted-bank.ts'
import { describeConnector, rejectedIban } from './connector-conformance.ts'

describeConnector('the scripted bank', () => {
  const connector = createScriptedBank()
  connector.script = ({ counterparty_iban }) =>
    counterparty_iban === rejectedIban
      ? { outcome: 'rejected', code: 'AC04', message: 'closed account' }
      : 'execute'
  return Promise.resolve({ connector, executions: () => Promise.resolve(logOf(connector)) })
})
