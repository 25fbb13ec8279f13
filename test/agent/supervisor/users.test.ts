// Who may act: administrators whom Home Assistant knows now, and nobody else.
import assert from 'node:assert/strict'
import { administratorsOf, Users } from '../../../agent/supervisor/users.ts'
import { recordingLog } from '../mqtt/listener.ts'
import { FakeSupervisor, TOKEN, user } from './fake-supervisor.ts'

const ADMIN = 'a'.repeat(32)
const OWNER = 'b'.repeat(32)
const PLAIN = 'c'.repeat(32)

describe('users of Home Assistant', () => {
  let fake: FakeSupervisor
  beforeEach(async () => {
    const users = [
      user(ADMIN, ['system-admin']),
      user(OWNER, [], { is_owner: true }),
      user(PLAIN, ['system-users']),
    ]
    fake = new FakeSupervisor({ self: {}, users })
    await fake.start()
  })
  afterEach(() => fake.stop())

  it('act if they are administrators, asked of Core once for all', async () => {
    const users = new Users({ access: { url: fake.url, token: TOKEN }, log: recordingLog() })
    const ids = [ADMIN, OWNER, PLAIN, 'd'.repeat(32), undefined, '', '../x', `${ADMIN}, ${ADMIN}`]
    const roles = await Promise.all(ids.map((id) => users.roleOf(id)))
    assert.deepEqual(roles, ['admin', 'admin', 'view', 'view', 'view', 'view', 'view', 'view'])
    assert.deepEqual(fake.asked, ['/core/websocket'])
  })

  it('may look where Core does not tell, and that is said once', async () => {
    const log = recordingLog()
    delete fake.state.users
    const users = new Users({ access: { url: fake.url, token: TOKEN }, log })
    assert.equal(await users.roleOf(ADMIN), 'view')
    const stranger = new Users({ access: { url: fake.url, token: 'x' }, log: recordingLog() })
    fake.state.users = [user(ADMIN, ['system-admin'])]
    assert.equal(await stranger.roleOf(ADMIN), 'view')
    assert.equal(log.lines.filter((line) => /nobody may act/.test(line)).length, 1)
  })

  it('are none in an answer that is nonsense, or where they are switched off', () => {
    const list = [
      user(ADMIN, ['system-admin'], { is_active: false }),
      user(OWNER, [], { is_owner: 'yes' }),
      user(PLAIN, ['system-admins']),
      { id: 7, is_active: true, is_owner: true },
      'x',
      null,
    ]
    assert.deepEqual(administratorsOf(list), new Set())
    assert.deepEqual(administratorsOf({ users: list }), new Set())
    assert.deepEqual(administratorsOf(undefined), new Set())
  })
})
