import portbook from './index.js'

export const {
  Book,
  BookCopy,
  Conduit,
  Definition,
  FileReader,
  HostKeys,
  HostRecords,
  HostStore,
  PortbookError,
  Preview,
  ProgressWatch,
  Run,
  Session,
  Volume,
  codes,
  contentHash,
  pathBytes,
  showAddress,
  showPath,
  tables,
  version,
} = portbook

export default portbook
