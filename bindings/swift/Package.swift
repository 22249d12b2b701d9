// swift-tools-version: 5.9

// On Apple's platforms the library is an XCFramework, which `native.sh` builds beside this file; elsewhere, and where there is
// none, it is found by the linker: `swift build -Xlinker -L../../target/release`.

import Foundation
import PackageDescription

let framework = "PortbookFFI.xcframework"
let isFramework = FileManager.default.fileExists(atPath: Context.packageDirectory + "/" + framework)
let library: Target = isFramework ? .binaryTarget(name: "PortbookFFI", path: framework) : .systemLibrary(name: "PortbookFFI")

let package = Package(
    name: "portbook",
    platforms: [.macOS(.v10_15), .iOS(.v13)],
    products: [.library(name: "Portbook", targets: ["Portbook"])],
    targets: [
        library,
        .target(name: "Portbook", dependencies: ["PortbookFFI"]),
        .executableTarget(name: "Scenario", dependencies: ["Portbook"]),
    ]
)
