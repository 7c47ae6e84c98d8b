import { describeOnlineStore } from '../../../conformance/online-store.ts'
import { onlineStores } from '../../../conformance/online-stores.ts'

describeOnlineStore(onlineStores.memory)
