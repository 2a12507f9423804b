module knarr-loadgen

go 1.25
