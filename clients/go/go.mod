module pythia

go 1.21
