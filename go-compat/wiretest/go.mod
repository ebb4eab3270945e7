module treasurehunt.example/go-compat/wiretest

go 1.26.0

toolchain go1.26.8

replace treasurehunt.example/go-compat => ../

replace treasurehunt.example/go-compat/services => ../services

require (
	github.com/gogo/protobuf v1.3.2
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	pgregory.net/rapid v1.3.0
	treasurehunt.example/go-compat v0.0.0
	treasurehunt.example/go-compat/services v0.0.0-00010101000000-000000000000
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260928230214-8a89bd6388cc // indirect
)
