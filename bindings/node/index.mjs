import portbook from './index.js'

export const {
  Book,
  BookCopy,
  Conduit,
  FileReader,
  HostKeys,
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
