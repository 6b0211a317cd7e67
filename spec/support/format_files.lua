-- Small files that the reference writers wrote, and what they hold: dtype, sizes and CRC-32 of each tensor.
-- Made by `python3 spec/peers/formats.py --record`.
return {
  ["all.safetensors"] = {
    bytes = 4468,
    tensors = {
      ["float32"] = "float32 [2, 3] db1ed163",
      ["float32.scalar"] = "float32 [] 8f43c39d",
      ["float32.none"] = "float32 [0, 3] 00000000",
      ["float64"] = "float64 [2, 3] 3b8c49b3",
      ["float64.scalar"] = "float64 [] fb4ad92c",
      ["float64.none"] = "float64 [0, 3] 00000000",
      ["float16"] = "float16 [2, 3] b0530db3",
      ["float16.scalar"] = "float16 [] 315b5ea4",
      ["float16.none"] = "float16 [0, 3] 00000000",
      ["bfloat16"] = "bfloat16 [2, 3] d463f296",
      ["bfloat16.scalar"] = "bfloat16 [] 99455d49",
      ["bfloat16.none"] = "bfloat16 [0, 3] 00000000",
      ["int64"] = "int64 [2, 3] c28162c9",
      ["int64.scalar"] = "int64 [] 0c13fc70",
      ["int64.none"] = "int64 [0, 3] 00000000",
      ["int32"] = "int32 [2, 3] eb5475a3",
      ["int32.scalar"] = "int32 [] f645581d",
      ["int32.none"] = "int32 [0, 3] 00000000",
      ["int16"] = "int16 [2, 3] 14fa8938",
      ["int16.scalar"] = "int16 [] 95982d20",
      ["int16.none"] = "int16 [0, 3] 00000000",
      ["int8"] = "int8 [2, 3] 88c6f7dd",
      ["int8.scalar"] = "int8 [] 42bdf21c",
      ["int8.none"] = "int8 [0, 3] 00000000",
      ["uint8"] = "uint8 [2, 3] a274704e",
      ["uint8.scalar"] = "uint8 [] 51d16a4a",
      ["uint8.none"] = "uint8 [0, 3] 00000000",
      ["bool"] = "bool [2, 3] b000cb94",
      ["bool.scalar"] = "bool [] d202ef8d",
      ["bool.none"] = "bool [0, 3] 00000000",
      ["complex64"] = "complex64 [2, 3] 85af6fe0",
      ["complex64.scalar"] = "complex64 [] 0c2728ca",
      ["complex64.none"] = "complex64 [0, 3] 00000000",
      ["uint16"] = "int32 [2, 3] c5495bbf",
      ["uint16.scalar"] = "int32 [] fc7e3fa8",
      ["uint16.none"] = "int32 [0, 3] 00000000",
      ["uint32"] = "int64 [2, 3] f26492b7",
      ["uint32.scalar"] = "int64 [] 39cf9eb8",
      ["uint32.none"] = "int64 [0, 3] 00000000",
      ["uint64"] = "int64 [2, 3] 8d4120bd",
      ["uint64.scalar"] = "int64 [] 5bbce93f",
      ["uint64.none"] = "int64 [0, 3] 00000000",
      ["float8_e4m3fn"] = "float16 [2, 3] 1dbf3eb2",
      ["float8_e4m3fn.scalar"] = "float16 [] 830eed58",
      ["float8_e4m3fn.none"] = "float16 [0, 3] 00000000",
      ["float8_e5m2"] = "float16 [2, 3] fda7027f",
      ["float8_e5m2.scalar"] = "float16 [] 6a6d486d",
      ["float8_e5m2.none"] = "float16 [0, 3] 00000000",
      ["float8_e4m3fnuz"] = "float16 [2, 3] 540fa37f",
      ["float8_e4m3fnuz.scalar"] = "float16 [] c151cdb7",
      ["float8_e4m3fnuz.none"] = "float16 [0, 3] 00000000",
      ["float8_e5m2fnuz"] = "float16 [2, 3] da24bd31",
      ["float8_e5m2fnuz.scalar"] = "float16 [] 6d008c74",
      ["float8_e5m2fnuz.none"] = "float16 [0, 3] 00000000",
      ["float8_e8m0fnu"] = "float32 [2, 3] 838a0418",
      ["float8_e8m0fnu.scalar"] = "float32 [] 77f71b3f",
      ["float8_e8m0fnu.none"] = "float32 [0, 3] 00000000",
    },
    deflated = [[
jZfNaxNBFMBXREUES8VaVOrHokhhrbuzu5PZ2hppMDXQD0VSUFtj1BStTaI2gh/0IHjy5EE9CB4EQRChYLXUoo1WCh68KB4VFPHm0T/AN9NNmtmZcTYwvJ
3Jvl/y25m3O/uxyWCfm2YuVyxU8ufylXwuZ3beNEvlSsHsND88MSct8+qFUgV7dPhc5folOp6FrmVOnM/T3klkuSOWyZLLo6MThcoEDNqWR0bqyR2lcqmg
Jtgygkd4xMTZ/Hj+ihoiJfiYEgSBjF7Ax5Zje/VswSCjN4B8niEqZDQKDOEgihgdL+cjGmm9BiRbDrYbAIJJOoYJtqMU0SWtc2EQNqVny8VL44VrvE0qhg
0mFnIwhxB8UnofYIgc0SilMWIY5NUvi4u46wFdjQ8kW2hplYcAcXY4itwGFnqEIpkdjqOA+KhWcLxKNoaKjyyUwMv5Ys3HMEngCERS9ToRyiB2WHW8RyaG
B4F/Vi9aiUZGrwH5PENS+BqLJQSb0zNsUh3cmN6Thr7GBNItF9mNCEEmwpHbIFvgiEIRkgqzfCvjheL4IBh2vQaAWCwxbFwvSpEUi86FQerrlFfJxlBxse
UuP90kJtkYJlCxPERSLDoRyvBrxcJ7ZGJ4+PDPMKqni8USQwMjniEpFp0FQyzPKckV/CIaLV29wU0qyR3y+1F6IHtC64VhfhO2BCguOSlVbpqwVVTJEpRy
VVCnEeoVXZm71+/Gck84AExIgFJ3kapwT6iocneRq4KSRigp2gCNwki/rdeGSiCeyJJa80C5MfEUQLkwj1TxfOEKSi6c1pX4lhuIa0Y1wVrVwJHzlFP7f1
OGQ5E6kRSH1jOA4YBEQKoS1lsSGU1ZuhpHCgvCux7h7nZE7xVYnu3XksW7LtG+XNk+R5Dcc8n/360YoP4E5ASyWgHItDynvtkUDbJ6A3ix4RCSh59GgRFc
tq8pl8e5zczgYJ/WwXEhPaili1srnqGQCDiGZFvFUxQIujub3LFh6XXe8MKIw9gXxtr3WyL9bWE8FcbtYcyE8XiEUzuffj61/05C+HG45TONp9vvTbH+15
+/aDTW/PlWpePvU4vV2vk//25mx613b7G49sPDeRq/7nrE+t+vX2S598desPHa+cPJxeSRrgfzmcvr3s3cbk4+/nynunfVdJWO04SV0DZB64c2Am0IGh1f
B209tBS0LLTV0NLh+EDSPTDT3Vbt7p6qDiR78Z7ptldf3nR0Nb/uxe3GoLHR2GrsNPYZ7WDdDb8wbJjGbjheSFidT98uTB8k887H6bHL1ybHimOzz1/OPL
Nn54LZ/V3OXNNwy9CxfU2t9tG25p5W+K0V0P4B
]],
  },
  ["all.pt"] = {
    bytes = 4087,
    tensors = {
      ["float32"] = "float32 [2, 3] db1ed163",
      ["float32.scalar"] = "float32 [] 8f43c39d",
      ["float32.none"] = "float32 [0, 3] 00000000",
      ["bfloat16"] = "bfloat16 [2, 3] 51f686a5",
      ["bfloat16.scalar"] = "bfloat16 [] b3f9a029",
      ["bfloat16.none"] = "bfloat16 [0, 3] 00000000",
      ["uint16"] = "int32 [2, 3] 722fe6f1",
      ["uint16.scalar"] = "int32 [] d16f27bd",
      ["uint16.none"] = "int32 [0, 3] 00000000",
      ["complex128"] = "complex128 [2, 3] a164c608",
      ["complex128.scalar"] = "complex128 [] 1ddcee18",
      ["complex128.none"] = "complex128 [0, 3] 00000000",
    },
    deflated = [[
pVdNcBNVHH9N0jRsUkpbLAWBoqA02IZ8b8JXdFtXMSJhsbJiNU2ThWRckv6TFwRnmGEGrYMXL+pNlFHGqw4O3igzjniu43iRgzN1xuGiXnTGi+N7+5LN22
2a0rIzyWaT9/v673v/t8mknS6EPB607PChIZTT9f2FHM4F5t7UZWkAnV52XHZcAjSq9hDAGb2Sw5EwdOVxpZovBrJ1XNJrQraqzdZLeiGLtXKtUs2eDwvg
GGWQGhmZO6uBk0EEmVKcZF8K4FK7yJggdKtOcs7P1cGddmPoOZFGaUfaOQ+etDPdNQ8brubzFV3X8rhUKdeE49WCVtUKk6U8FkDwK+DF4FOgV93YMhmo5X
N6rgobi8RK0VlkUiHoK7rTXRg2EQm//2qRovsxDCgwqPo4dLlS1mCzBRuGRwgWYRii9hC1t4XZG2Y8WzFsU+BRlZZ61iAKxWE742jEl2T2tVmBHQZ1BHYW
jeQjZvJdjPoxRv04ht0K7FH7OOpmwicaLhlVFJ5kCfdyCUcxkPd9ai8PNyI+ZQHHYIxFHDcjBpiP/YwoiCGkQFh1k8H1UpkGjKwyGSICRFsVCDQmhDBVxh
fntIJZiJhhIA5xYsCHQTQLkWAGkszAgUYhmbgABzEcUuCwkYx91yzLkaIhW2TEIqQIsQPD01xZnikSuKTAhOptwY2yTFrACXiWlUU2y/Icc/U8IzpKiV5Q
IK0KdB5Xzs3p2oVQOAEvWu7+BPthslKf1TUz+TFDIwkvsSlw3EyeYRonmIaC4aQCL6v9FoVm2qnGfTymOug0D8IrbBac4uKqGF5V4LQxiTgGI/BrVnwIpl
ni183EbzA3WcY1gyGnwGw9kEn3eL4ufrE4QpoMfWVWbDeDaJfRbgJnKtVzOZw9r1VrZDnL0vY2Xad1hKjCt3/eu0KrRF8rKwyhg0yhMcmyOb10tnxOK2NZ
EjuKdDjiUWog9Rbcp5VxdDTQiyYMA7MXsVahTUqWUuvVbR56CWNdox7ePby0lS48d0cPApLMrr4/KEtHHtLAdOr7VObQx7ePgvfOrXf6U9cX318Y7765QB
3lF3f+Mkw0h1dxFGw5CsnSGFqzPtH65LuJD4gAcplaqK2Wq6UVlqXOvoZbYyOytLmtL3/q6pFLh0dSv9/ed5v6uDH/zwmfsXt25j7U4o7KUmLdd8FvpPd/
9u9N6/xrn97dUo3JkoOoPmD++Er5g+gUWXZj6AA6jqiT+aX3ZtaYX3yY/EFD1bfn02trzJ9YU/7kSvnpyLlv7qc44J2/Zu5arid/uMVfow8/X1rgLn9N3v
jSMj7/29/m7zSd527h+gz5PNOxpl60l1tHZGnvfpCi2v1TveE/7u3YRD5v6lhNLxI5PbJwI+u5iZ3ybDH4zY1gsB1/RKCOF6+dnVq9/25DcbYBGJZrWrVE
doC3c/SpMVsqyFJ4HQFCkWA8GRPDiXAkIYohMZEIi8FoMC6SdzEWF5PBcDQZiUeoy/+kkSujxMeo4bKLmjV98pukb5lz/jncjuQ3v0ELquJC7bZUOwG/eQ
1ZCBabBMt2TDsHv/n0WjiUbmTd9OxQfpcQLNCfuxG3V9lxfMe34opuDhdq4tp3BP74iceF7Xp8Z7fiUA+Hi9hxfG+24qZ5XPTBff7I42J2Pb4D23x6OFzc
juN7qM0njxPX4JPHJex6fFez+dzA4ZJ2HN+dvBbYVzwuFOxk1ArcJfDAkF2R7y5W4OUGcIWVxS/4bdbSNIDtW1Em7XaPNUbudI6bqAHbeYeLnS94m83bTf
9Vo4/62DV7Hu52M8yAMZ6N/R8=
]],
  },
  ["p4.pt"] = {
    bytes = 3877,
    tensors = {
      ["float32"] = "float32 [2, 3] db1ed163",
      ["float32.scalar"] = "float32 [] 8f43c39d",
      ["float32.none"] = "float32 [0, 3] 00000000",
      ["bfloat16"] = "bfloat16 [2, 3] 51f686a5",
      ["bfloat16.scalar"] = "bfloat16 [] b3f9a029",
      ["bfloat16.none"] = "bfloat16 [0, 3] 00000000",
      ["uint16"] = "int32 [2, 3] 722fe6f1",
      ["uint16.scalar"] = "int32 [] d16f27bd",
      ["uint16.none"] = "int32 [0, 3] 00000000",
      ["complex128"] = "complex128 [2, 3] a164c608",
      ["complex128.scalar"] = "complex128 [] 1ddcee18",
      ["complex128.none"] = "complex128 [0, 3] 00000000",
    },
    deflated = [[
pZZPbNtUHMdf/jlpkrVdaKFFYlx6SNCaxX8SO6hdkFsZTTksHZomVUhJmnhNhBtniTMY0iYkoKjIEocaTjCY0AT3obJTW2li3JC6KzsgFYTGYewCEjfesx
P72XWSprMUOXbe5/f7fv3L7/dcyPv8AIRC4MgRAS+BJnOuWlbKyeY7ksC/AFaPHh/4P2/7DOCmFleDVyW5rNCUpkYVuVWpJYsdpS61NTVWbIlrnbpULSpi
oy23itcpbVuLQ6INF5bXRU0N6AQkBRTjre7tbU31pDTVV2l2tDyhaCt5kPfmfZta3pf3bGpbaqQiS5JYUepyA+aJXGxVxZZYXa5XFMgmLmmKdklTx7u6ku
1KWSq3tJo/Hq8FaiHVQ2q1cN6jx00ktmqTPSLaIxpyQ8TWU2g9MHQATIdFhtZ0lMz0KEKd4AXjFu6KRpFcHFmRJnqRHLLnVA/TR/YpE8F1QyA9VDfRqTd0
1V6XatF6tWoB9ZRRV7Nq45cbyo2mWMWdZVCuaB9nZp17+ba7yo1L0+qCrjynelgUzWuzWntTRyJdxLBqAtwgq100XJE3mpL4HklxVpmmloyby3JnTRJxR9
mhtTptBXRUa1X1kqk+5ZrAKLxgiCGHVayTLOSDoad/vfzHLdiC6FPo280xwKNuTl6VWxtlpXhdbLVhwwj8ebemHuEgkYQf/378oQcmQZ/+EqbBgi6h+9cp
lqX6emNDbCgCz51YRYZBAnLvXnvihSm8AwVEgR8JWLuhiDKaEgIPgFRXFElEMT5ePJwl4CpiYIwxsNSbiudSAp97zse3+nbup1xh4YvdC9ci+zsfnc7dOf
h0bz5wbw8pqhyc+XUG5pwZoog0FZECPw9Gzw9zffVg6TOYAPjNXMA1V8DMRQm8B6wO0jVrrqUFftpdVyK3df7m4qu5P3df20U67m7+uxLVazXY86IZmxH4
7MmrkNDdJ7757579/+PuPmhmTQu8D2U9nv9MX/8pcAW2zVnwOrgIkJLNw09Ko/lnn8t/Ss8anfv69mj+uZH8Z/v6RyubPzzJYeD+s9JD2/Xyzzv4NdC+Pd
zDLn/L3v3Otr7y+z/m78hd6GH1Tgl+Lw18pmEQt/oItvbcsR6qUz/KN/P08SuT8PvkwKcZBpyVDzYuc6IiDvIzg+Kbk37KNT4dRooPbq9fHj4/ZwGrD3Bd
clts1eEEf7+MXryK9arA0ycxQNKpTDbNUhxFcyxLshxHsSRDMxSZ4dIswzGZbIpkjSl/S7uwE4c64rpKDxJr6sR3wcgR5dh7rBPE966YDfrFB1y2TCePbz
3TNn7FD9z3O2cIfOeJ2kI8MkKYO5aTxHeIMRv5YgBY+5QTw4e9Hfsew8ge5j4L8GOKsDDKmQ0f6XbsDQyjnRg+k+3YlxjGHF9kLGhhaWc2fO46RGJYxonh
g9MhEsPYEUSGLIxzZsMHmUMkhmWdGD6PwjbsGYaRqUEq7VxpDONIZz58mti5fYPr00p4f8/an0oY9J88hTxBnO0uPOObx1557eeI3zjfD/dGNRFE5wfjxr
Xx9hogDCamrzfW/g8=
]],
  },
  ["checkpoint.pt"] = {
    bytes = 4725,
    tensors = {
      ["model.weight"] = "float32 [2, 3] eba3bd65",
      ["model.bias"] = "float32 [2] 63d09a26",
      ["optimizer.state.0.step"] = "float32 [] aca16a6a",
      ["optimizer.state.0.exp_avg"] = "float32 [2, 3] 2809d9f1",
      ["optimizer.state.0.exp_avg_sq"] = "float32 [2, 3] c79b3977",
      ["optimizer.state.1.step"] = "float32 [] aca16a6a",
      ["optimizer.state.1.exp_avg"] = "float32 [2] 93125724",
      ["optimizer.state.1.exp_avg_sq"] = "float32 [2] 4558a4b9",
      ["base"] = "float32 [3, 4] 3e667d78",
      ["turned"] = "float32 [4, 3] 7109b3e5",
      ["part"] = "float32 [2, 2] 85a41ce7",
      ["spread"] = "float32 [2, 3] 29dd1225",
    },
    deflated = [[
rVhrbBRVFJ5ty7YdipaCyENQfMBWoOxud7e7QFtYZauOYhlARrSO09nbnYF9nZ27pUVXq9iF+n4/IDEY9I/xjzHRGCOQEKMmYCQxRow/jPpDowkxMeo/vY
+1zswWWhcne3dm75zvnO+ec+45M9sv1TcIQlOTUHXMEy4VdAPpe/I5M4vXJjWsdeT3pBPx2cKuf4+xuhIIPmUWAWRySZQGj67n0mmkYzOXtcTbC0lUQMkb
TR2LUNcuQ71P8RLZvchMGRgadJwr6EaHWsRm2hLVAhosmumkilHWyhXU4aAIs3w+pZEgLCKppRB4OURMpHMa3sYnRWhUPETGD01KPTnr+SI0S14M4lZJkO
qk+jLMluolTxlaJgzKYg6GS2S4VCFLFwZNzYJWg9gxvAbXE4C5RrNUh6GN4cdhnuQZh/kcexmGBTJcXizBQqWZCKsZhDXqHVjE7i9WqPdgSQmuYMSHUcEi
voClkseyrEGGyeWxmTH3oQIsK8GV3H0W1jCCq0qw3CcJJbjax9hZGOXhGge7IFxL2HkwXEfYtbdzViswrJSBuwqN5FVtOAXtDlgnXG8wp6yadMpq7pQ1XE
UHhrUy+BXxXxWqBRBwaAlBkGvpnNQS4lrCXEsEQ5cM0aLkKUHMZziph2Edp77eRn0Dhm4Zegwn3Qj08hhsrMRgE41BnENuwHCjDJsNJ7cuSHBIXwVyE4Xc
zCG3YJBkuLVYVFqIaF4raBk1VcgV8xbcNgBbSnC7T6kjd9IF6O/rPcH3AAvMIImvBVv7en85RY/Tfb3n/vjs7IIDq8ogs3RDRMe2vp7No09+5398HdPP81
tNIl0bhe2SwOKiZaxUQUvCjgmF7reMNsKSAO6YYLeHcgWk6Qbs3MJCoGt5XCxog2kEyoRyCZlJmkNDZDdlsclm75xg9IaKFkrCri3KAiqCdLKkNEqqDgZ3
TbBdx1Ztwd0DMEByTPKgolZkOlA+RwzfI9WznMtqGQQq88bJ1+FePpfLItC2sOu0aWEYHADdJ3n6NjZwVx1kIRiBZBkQ4htLsxAMOSIUhRSJUAsGg0aoXm
oogyk10OzZzaO0B0NahgxjS1afJSvL/qPBqGBzFNtAMy8veagK4NgCBksGzGyTlWIoupHDWwmuTqorw156UYYRjhzFsE+G+5hVK0+ikIT7HbxjUOJ5+8Bk
1j9ILoQyjHEND2F4WIb9PF9GMbLgEV3VSUHULRFl6YUI4yxZhJPHocwspTVsZgNwoAwHZZhgNwfNFDz6qJc59C82YyEMj+mqSusiEVdVkcyI8PgAPCE1au
PwpAxP8UJBM+npSnHcRn6I8AxxD1nks+PwnAzPM5tJNGzqCF6oyPGfIrw4WTZfGoeXZXiFLSSJR/MIDlVkh2jBDUREOFzs6Jcamz79ZPVNvxMxOvrP20UW
C3F7F+kgSZ7RsFopiol4j72Z1HAEKJX3zn2zn4aJjvNTWSqEHFQqHUXV0mYqmyHbKhH3/2c2kRAl0LsXfqLbpe6CBOYLG+wEaJ7kaH9MxKM1eyFtYpxGlM
N49/eLaIi9F+QwV1jv7upr/Yl4V60ElmUajq1c0d1z/I1Fx3/4qOW48vXbx47c8tsGygh9ePTnhcTmwmkYtVcxCiTi182M0Tvvzj62T3uzh9pbcehznRpo
msZerMpeMBEP1+YBQRjrpbZ3737tLboNG6ax3V1luzMRj9W+CU6fOtU91aCcfj3b7KvN/6EZ+z/Xtn/dVIPa3xs7/HFt9sMztn/x/o/8L/6nHK7d2fZcbf
nXVXP+2f39/uvK5trsRy8i/+kx1ku+NpIPGWNkHCHjBBnfkiFsEoRWMq4iw7+J8hwpDfX46eP6NDznVvGMJeJzhIuIf5uzAk92odrrb6dIrZ95NbVj+vq/
XFjraEBsSRYqmKQD7dPoC5NqJhPxVf+FTCDY2dUVCfhD/mgkFgqFo/5IVyAQjPnDfn+0Mxj0xzr90XAwTFl+0PrYUR/h4WMsPZTsJE97N59XxXyK90C3An
sPXuwAJ7zCBR4B3HrsrXSpQ88Zl56q/u1WZe+I8x2q5EZhyk7s1mDvYHMdGr5sFKr7qBtub0hOuNFUDQ+44facdsK/mgIedMPt5d8J395cDe90w+3V2wn/
cQp4aObkDbEaHnbD7bXUCf9iCnjEDbeXQidcmV0N73LD7RXK5fkp4NGZr32spRoec8Pt1aTNuXYn/DxbyL7Plzvzfo4wfQXql7ze1RXAsvo1k+BW13lJ5c
3vzzn8THCN7I+jCmf+ND7LyzGtTJ7L/g0=
]],
  },
  ["old.pt"] = {
    bytes = 2297,
    tensors = {
      ["model.weight"] = "float32 [2, 3] eba3bd65",
      ["model.bias"] = "float32 [2] 63d09a26",
      ["optimizer.state.0.step"] = "float32 [] aca16a6a",
      ["optimizer.state.0.exp_avg"] = "float32 [2, 3] 2809d9f1",
      ["optimizer.state.0.exp_avg_sq"] = "float32 [2, 3] c79b3977",
      ["optimizer.state.1.step"] = "float32 [] aca16a6a",
      ["optimizer.state.1.exp_avg"] = "float32 [2] 93125724",
      ["optimizer.state.1.exp_avg_sq"] = "float32 [2] 4558a4b9",
      ["base"] = "float32 [3, 4] 3e667d78",
      ["turned"] = "float32 [4, 3] 7109b3e5",
      ["part"] = "float32 [2, 2] 85a41ce7",
      ["spread"] = "float32 [2, 3] 29dd1225",
    },
    deflated = [[
fVVdjNRUFO50ZmfZsiCioviLfzArus6UYXcGYRcUWKWyQPGn/qy1096dFmfa+drbZRcdXcUdGET8/8eEB02Mb8bER5aE+Aa+65MxvpiY+GJiTEz09ra7WU
jlpqe5vff0u+ec75xzZ8UTUuOf07v/Xnfoq/1rB2fFvb9l2bsNoaCtEgSh5XvUM72GPkX8wPFcZJiCtoLtNBxKG0QnruUYLsTjmsQW6UyL6IFzhATItpEr
aD1sMbA9n6JHEbUs+3JciryS03IRhufW0avkwnDhzEi/6VmkgYzJjm0Qk7JTA2mfbxGfWDsdk0oQB1RkC1qe6R4mTt2myJnU8017UA+p0wgk3Se10GlYOi
Vu4Pn6lCyhp1DQeiNrmKZRJ8jHv0i7G55BD8aLEnq1lUynWt5cleVKtVQalitFLOOGm60QfUp+nEI6oAiKqGQ7WK5klUwH/V07smkFxUoVV3HXao4RYJXN
TrXz9qWom8tFNnC13aeIDG01R5vDNUpmDtfGSNdRrFFxfdjGDVof+1VvEmpYBjWwlu/fqLFFATe1cTN3aoGdW5RMEAQ1/o/Xok6TUeHj1jZuS6igBiVY18
btBUVo444CtzWgpIU7U22tVFgAiriL2Zphtt7NbB0YiG1cT7FBRRxUMt3Sjak6BlJBNg0PVUsy7rHj8G1cDN+9cfjuiwEHKe5XUeSJlADqAVBKD6JclOUy
5ARz0yJmOcbcHGMOUQyrqIRKpo1qwU51slKpDm2Si9iSOPnAEie3UmxTMWKnO1YtlRmXGE2Y3J4wuSNi8sEY4CGKnSp22aX/AahWykXsTgDGEoCHI4BHYo
A9FIqKR8NQ64/q0fCNpl73vbAVYO8ExtvYV9DEqJZ87B8bPSfwwcmusZwJcGBs9PcL0bg4NvrHXz/8uObYxg5UntGEYRwcG9k1c+qX4sktHD+uJ90ipjGD
xxSBs2s0g7pvWHi8qy2L6tOY5omFJ7p8e9LziWHaeHKcU2caLRr6Rq1BoHW5t5YzOcmq16UOX32qy82bDANi4elxbU2kQkzmUoNY+iUWPNPlVc69DvDsBC
ZY3ioZEhohxyAtjx38nJLleewaTQKdR+P8F3g+XvNcAmM8bjdOQFGbgFlQMmPbc3GojmsZ9p6G1QEhcekaAcFkeibLFXlYRp3x1c/4siO+skquA0fJRVl3
KObsBYqGiia3ncXCZX66V8LzErxWhJeLshhKJoL1YzxmNlURcutYLCimroR2OEGbPsCwREXsYCaadHAkRnuR4iUVbW5d0GLcWXg5tS6qw2W5WMErSV3MLt
bYq2widPBajHeU4nUVc3HOzVDW+zumbrImbgYScaOJhGM84YTz8zjOz20Y1HFL6HZwQsUbfLPm1HHyRJ6T8i9fCQjFm6auR72cqeu6xFYknJrAW0qvMYe3
VbwTN7AoG99NGvpB9iHhPRZA5vL7c/hAxYf8TItMOSbBR4le/Cnh48Xu/skcPlXxGXfEiq4ynE50J6NLojQk4fPoppqIbqqUBpJJi56YdqNk03jLpTXNnr
Sul0+7T1Ib97K0ftWX1oMkMpgRFsbs6NJ5Ppnd2syd3bB+28j8l2vnf/2+f1776ZuzZ/b8ubVfWDpmR9lrO3uYzDI5w+Qck5+ZCDsEYRWTdUyKOxZwL164
sC1NFva91Ue3pImY7H/73fKzR4yvR5baLF6GLV6G9R8=
]],
  },
  ["a.npz"] = {
    bytes = 3663,
    tensors = {
      ["float32"] = "float32 [2, 3] db1ed163",
      ["float32.scalar"] = "float32 [] 8f43c39d",
      ["float32.none"] = "float32 [0, 3] 00000000",
      ["int16"] = "int16 [2, 3] 76bbf08e",
      ["int16.scalar"] = "int16 [] 61f34810",
      ["int16.none"] = "int16 [0, 3] 00000000",
      ["bool"] = "bool [2, 3] 4319dfe0",
      ["bool.scalar"] = "bool [] d202ef8d",
      ["bool.none"] = "bool [0, 3] 00000000",
      ["uint16"] = "int32 [2, 3] 83856c2d",
      ["uint16.scalar"] = "int32 [] cf228f62",
      ["uint16.none"] = "int32 [0, 3] 00000000",
      ["fortran"] = "float64 [2, 3] f12b0119",
      ["big_endian"] = "int32 [5] 4c6b0437",
    },
    deflated = [[
xVZLaBNRFL3TfExTmialC0GUuLBRSbRNqvgJpuAHJKiDaEEQatJMbCQmdZLxQy0mJQSRIEJLKYgLPwspLiIFl7Ybwa0LdefKVd240IW6qO817yVzX2xoky
E+GIYJ95Bz3jvv3CuHTWYfVNZOOPry15VVtrqgD+LJdCQb8O9LTdyRwAnzrJC/Z85ePCNfkuAmTHpiSmZM9Rxxe4LxIY/X7Ymn1awaSY2m1ZhCfz8VSWYU
8ntmPDKhkO/dfq87sMfrnnI3veyXQ+9CcnDu7ekbXctvCq7Q0w8PlnyWxSUZifr8c+ohF9WrE5UZiyQjKtdWYPUFI7S1pqumDel4Pn7+Ftfh1B9OOqVwFT
lWnTNCxUDrJ4QVmC2PFriCTqIgkcoOHuTUS6ys1JB6wt8uc/nAA1vhBISgG7CM1PVnVv1BVGRgO02z6mkj1BhgJ5+g4f69c3GuwVE7ik1baYMKDLfSNter
HOdvI/yj6XSSMy+yqmIj5nejg+1yEkgSgIT5921ffcH593D+2EJ5Vpw3QoYBFhIcNLfD/4cr6K6ewGYNtFH+hhto5vHyEKdvJ/S1JsJIa1sYjcAA7ILjEA
RZOIbVlR8BrsNV09FMGmltS6MRQcTkyf179bdBazaOtP8UR1/fW/HgVGHAyZdZYblxWz70L/IXVM1gN5GrjJZtuPL+Hqq8newb2LtvGIv9Uvz0Wt87oomr
o0oqlqjpnWW1s430HktsbAw54G3VcVwviWHoII+JPGY5LHX4THj2nWfDbZdud3IUpZ+ERSCdLwtscuxFwI86YO1Cing61+WYs50I/0SCuilPRNOZqsSSqh
OhR4nUaqiJMDrDTLNEwH/ab4K6iUZE0+mBU3Yg9EoVvR5h2rmLrDvbEHbBDNU+LqJov8yzZtiDUNcsIHZPEUxbFafbjcBeK+DGJUJpm+Dba0fQbwSqrbu/
NJb5/roQbnEL1Ie0CKeByBljubdtIMajCKZhVGZpg518mDhEF00ikF7sWXZt8bH2E+34msthixXW6hwQIof+e213/gI=
]],
  },
  ["packed.npz"] = {
    bytes = 2794,
    tensors = {
      ["float32"] = "float32 [2, 3] db1ed163",
      ["float32.scalar"] = "float32 [] 8f43c39d",
      ["float32.none"] = "float32 [0, 3] 00000000",
      ["int16"] = "int16 [2, 3] 76bbf08e",
      ["int16.scalar"] = "int16 [] 61f34810",
      ["int16.none"] = "int16 [0, 3] 00000000",
      ["bool"] = "bool [2, 3] 4319dfe0",
      ["bool.scalar"] = "bool [] d202ef8d",
      ["bool.none"] = "bool [0, 3] 00000000",
      ["uint16"] = "int32 [2, 3] 83856c2d",
      ["uint16.scalar"] = "int32 [] cf228f62",
      ["uint16.none"] = "int32 [0, 3] 00000000",
      ["fortran"] = "float64 [2, 3] f12b0119",
      ["big_endian"] = "int32 [5] 4c6b0437",
    },
    deflated = [[
rZVfSFNRHMfPddtRr6hTxhaN/hKSgss0JOaDD9aCrFxWBJHOrTm3sLtYGyJSLYkRFRG6TFL8u0Kkhj300FP2Igb5FEyfgsAn66GHEsQHuz93z+4957LptA
tzbPjlfPb7nu/3Z2/UaCsRQnni6xCqm1pr25CeAmRAnk6/M1hTbRFud3NIjwZR8nFI70O/TCtm/Zd5+5z93UjfteHrMeH1mNDvmYhPjo0MOC43RwdNo45o
H1/a1fi1/ILusanjiDGWs7bXZuXnXln5D7xbE9+zPrnK1X5b7TYGDiwlDns//XYt3mtJLKxzdopt8e/dZ4StVMF254az0xkgiA8lNNtuETfxDNwmHqJJJr
3NXYREr5ySX2gnHOH/xYHlUVkYDq3u+TThyBc5fELweC0BeCod3JwZwBfLwitLCw7hfGzCPbgVMzDCrQmsHEoShjanV2I5tVsmyRyRh6F4dL/JQyiK5JFk
b8zWDBmMMZe8DROKPJHC5fd3kvMj0rnnMp3f2u+eysYXbLNhbGMoDPs2YoSimFDQhjyQIBp2C0MMYf0Y2F+9ThgKU5PI1o7tEGSwo39o9gSB4EWI0A6Ccu
lmNkGJV2ENvoI7sDmC2JFsrPypITQlMs1OkrINKFJjVSxGz+ljFcrbEdppVLYBkcGb5XlMbxx/IBhwCgRhRjr66hY1Oq5CKC6vOK/jkwQfZW+WxbAYZn+g
8fqlBi93dJQ7++QkYpi+RxLvlSXi8nU42gW3T8aKSjhNGbFe+rZs9zfWpEHIgvPatK6ygx7sMoo4XE6lhl7LsHNh/xYg+Qlz8FexpFkh7ExwD7ZiKSUcVg
jlq8fqYdOBHm6CntKXcUi191g17CdIFSQsn1LHRXUqhKwMNgnc+17VoXU5SLVXWDVsAIJcRKk/p9TpgKG3oZcj0jey9owGpVqcVUHPQoFCmRZTqgWiSo8L
BUlwCynxRS2i65KVQq2R8fKUNCFKQ2nnCwVE5ltC6dw6pK4jVg7FQYjpn/tTlqdjhrhDlmdUNzmAkTL8rBAyCWmLqmzFuYhJqL1Rh9Hm/xWhetGCF7nw6R
8=
]],
  },
  ["v1.npy"] = {
    bytes = 320,
    tensors = {
      [""] = "float64 [2, 3, 4] 5941b5ab",
    },
    deflated = [[
m+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6joJ6WX1RSlJgXn1+UkgoSDykqTQUKF2ckFqQCuRpGOgrGOgommjoKtQpkAi4GFKDhAKEFoLQBlFaA0iZQ+o
M9hNaC8kWgtCGUVoLSplCaAUrrQGkJKG0EpVWgtBmU5oDSelBaBkobQ2k1KG3uAAA=
]],
  },
  ["v2.npy"] = {
    bytes = 320,
    tensors = {
      [""] = "float64 [2, 3, 4] 5941b5ab",
    },
    deflated = [[
m+wX6hsQycRQwsDAUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChIPKSpNBQoXZyQWpAK5GkY6CsY6CiaaOgq1CmQBLgYUoOEAoQWgtAGUVoDSJl
D6gz2E1oLyRaC0IZRWgtKmUJoBSutAaQkobQSlVaC0GZTmgNJ6UFoGShtDaTUobe4AAA==
]],
  },
  ["v3.npy"] = {
    bytes = 320,
    tensors = {
      [""] = "float64 [2, 3, 4] 5941b5ab",
    },
    deflated = [[
m+wX6hsQycxQwsDAUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChIPKSpNBQoXZyQWpAK5GkY6CsY6CiaaOgq1CmQBLgYUoOEAoQWgtAGUVoDSJl
D6gz2E1oLyRaC0IZRWgtKmUJoBSutAaQkobQSlVaC0GZTmgNJ6UFoGShtDaTUobe4AAA==
]],
  },
  ["s.wav"] = {
    bytes = 56,
    tensors = {
      [""] = "float32 [2, 3] c6b8d854",
    },
    deflated = [[
C/J0czNgYGAIdwxzTcstURAAshkZmBgc5IGMWgYGFgYBhpTEkkQeBgawDEPD//oUhjn/AQ==
]],
  },
  ["q.gguf"] = {
    bytes = 6688,
    tensors = {
      ["f32"] = "float32 [2, 256] ad9357d7",
      ["f16"] = "float16 [2, 256] a770173c",
      ["q8_0"] = "float32 [2, 256] c1918474",
      ["q4_0"] = "float32 [2, 256] 2df6a16e",
      ["q4_1"] = "float32 [2, 256] 324978c8",
      ["q5_0"] = "float32 [2, 256] d1b770cd",
      ["q5_1"] = "float32 [2, 256] 786e3b4f",
      ["q4_k"] = "float32 [2, 256] c4ee9ec2",
      ["q5_k"] = "float32 [2, 256] 4c342e19",
      ["q6_k"] = "float32 [2, 256] 8c57363b",
    },
    deflated = [[
fZJ5OJT728Dte7KmpOyJbIMZM2Pm+VpKylEoqaQs2UIiEpWlIkuUlK06lmTfGTPDzPMdVCKkslQUkRASspO3fqfzXuf9na73/uders9zX/fzeZ7du21MOd
nY2ATY/gruX1niV3ZzOe3i5+il6ejn7O7h7+LsH+DnwvcPzsvL0dtR9J+NppOXj7PnCWefgNP+XD+GHP+gA338Tp7l/1H8XMH5a8j+Kzv+XThx/CoaGH8z
LmfO8vxVgb9HQS5neX8+/XfvqqvD8Y91f+/4Z/wvisH9Dv1Py/dXzfVr5os/of079j+Y0H+xer9nf2Y54X+xmN+xP080XP9fLPb3e38aCRP5F/vbvT9V9Y
v+6wbP37E/X8tB/F97f8uu+3mDxH+xuN+zPxX0S/7fT+IF2ZBQU16UOa0I+jq7yJny/HBVgY4EjeaAT2f9wHcVPWizmAk/x8vC07tUyftaJVjjAg4oZ3A6
7A8wgDcOCsKN05koue4lIuEbAZL/5ERNR0qA7l41KL9Yibzc4wYiolnkBRsE6sx5QgG7z2hnsCOywyAcyuocQgcEFdEefwGQ9twO8ZihIJaOKvAMnQv9s8
IMsLZDsF41Exo9rQMPdxUBHi4zUON6DQmpyUC9MmoAHF0Ci3c/AWubPJCwVI1oFaTBpZmEWlR4O+AdzYZnLJqRjVK9SI+WDtBISIa2LqrQ178PFWPcgXcf
vAecI6so5XQeku58FSWXNoNk9nzgqqgA9vGsY9nI2JDX82iB9vAwsF1rKyzUHwUDnPlw+IgqPHPCB4RMmJF1VdgMNQSNEI5NCpDdsg4tLoiFPLEPYI6TPD
BrlADSVQ/Baw0jWKT3GlxQSkRxkU1gc9I7NMuMBJmNoUgez1VQ0aeE4Ick4YbiQsjlUglflbKBTvtLoJu0HW2+Gg3LQ0+AmcEHMDMWB3mXtwJLDhEW6eVj
5NQnCcjf1kd247/LFJ/fhxhRMCBCyRgyByjA7AMBvPtuC0yk7wCn9D0gRvIweNWeRr6WUQ1N9gigo993QjeZajhx4CoScF0UZrVfgevDI+C8dzTy9gEV2W
OaD44uOTPY7SLAqUuVIBOfCJQcpViXd90HRQPFyI2F10iEKIrAhQbEJOYBcrGBija5z8BS4T7miToL+Mw4Bui9SUTlZwvIjaFHoAqNA+6YJTGeyKHQdSYV
8SC9YRY+ToY5FzexnGw5weSxFDSrhBdGvPRF91weAdIr5kxfl3Ky22EUcvS+BCH9p4B1QhS4sNOEPJh/CqDjTGRuUQYEvd6MHstjwLDyK6C+aB7Olgegh0
9bob4XI+CDWRlgoGiBYov70CMS3GAHxzd0U3M5GJuqRJ70TKPF7xZgwMlcuGtLLMCa7mc+nr2Jih16Cd5qZMPCCUnIOT+F6kpvAL7vVOE3vi0wOqAVZlcT
wbYT+0Du8AyaZKyCnA54CEMSptAKhzKwtiKArPWKGwZG7IERcRKgRMcMPfNGBOyyGK8tKVgPFWSOw2nCTsMNbn8yF0TYWWUC2yDnbQ0Qx8YGpRVLQNK+MJ
D/fTO698kUan0/DHJgdOG3GwyYp5oGJO89AwpNGdDZKBmmHh+AKvAcJLSZsnRwt+AB9hywulyG8j05ClSOLqHX7T+A1jVzpO1OA/r5qKKhhnwOKmR1D4bW
7UMuicoyD1yKArpfPeEX9n2AbnEUxE+owTOqKohq0UFIk99gGGKsBx0Wh1FH7yj4HFeOlsayajvidoK3ZjLwmgGCRu6n/PhfDkCVE9qGAbsjgLugGezUKo
QtMAjylZczahBhsmc8AoNKsmGYSDWwMhlGHBshyjnriO6/wQt3jBiwZPrHyam80XDONgySRxSh3HkD8O3VHRidRIWHWxWB9VYjUHIxAJovrgdvLO+gC8Zp
iLJbJryFtwEnudKAgZQiOD4pDGa9fFkmvhFIhV87Y1PiBvSGtzx0euJEXsf+CkHWX0Nf4ifQRPf7oPBiHJTrvQIOCmORpU8W8PL522jlVU/I+0IdaMpVID
oxwvCSZByMCk5DCFIBgE9xlGmh04VkRrJQumMMmV/xDlp+PQkhGtbBolEl4HXWEw2+S0XkySWoE082wtwTDXG4FMBa9xY2ckdAP2tf5BRSC265xiPUnkuo
nUc15Htvgm7pzGLEn3wNUk1kgRW9AbKq2Q0ZSDNqquQIV58wQEWLOVNHhoH68DsgWXsPAzPzEJDFUwaRtjUQ4eIHsrfVo+WJVlBX9DzsKl4hu3xUhk/bTO
Dxkv3gVl4NgnA3o7nzBsCEpxQEbLwOD/lKw4L9vuCSEB5ARXcE33wbRO6Nhc4HmdD7lT10XVgiH24xh3n+i+i91CDo17EVvr8XBqOUGMjyJXPAuTqLXiQf
RONQCSjBxgc4navJNutagDf+OpxIpSPd1oPI/VgaGuIkCa7I0+D5NF7DLU8L4aXznmAm7AZUtEwE0uyP0fsEBWQ55Ci55+N18D4zG7X9RGbhEo2hpCwJEY
r4gC6L7QKkuXAQYiWFVhah8IB6OQjNjAF3tFJR3S88hm3pFahSXALcc18WDZiLBjMrPhCtWwToZRfIbeMPBh0FgULdFnRkXwxwX4Tw86Ni8MTrMpP/nQDs
awLgccE1YCm6C6CTa8DAJgZM78kGkXoCUFH1LTlDVgTsOJzAmPRJQ9zU3iIn5A4D643tzIGNlWio0EF4y+wkHBBLAmmbipnaAXsAt0gO/Ci5ANPNImHRo1
ugoToKzLMVIDx2FlB+ihsV8U9Bj2SUoWed5VgimXZwuNAY3SddDzpSlZD9lpXgW2IT6uoQjsrdDGJlESaQc8JCoKf+A3iEX0SHXrHIF+7rweQbSRCJx8Gc
B2Xo95BiEP1VxEDZcS/0MhNFeJ8dR2K3aMALNreAJ2UK+hYeRR8bqYF6q0JoOEdDIi49BGm7RxBV29dw9RQRbmXcB64wBXG+Js8QHPqAFCThwZI9FlqX3k
ZnbcUQHm1imRyBqrmH1oTVJ982yKSLMFdoe1VzWGyVK4xeuh1NhJKEUydtKQskW9MzsEQDLs0ZukPtAaqQrgCjomJj+UH8e50yrAF9W5kpcZHMzxRGnMiG
RAM9HkonuRtggQmZhu1k3LxnSFBhWuM+4BIITIY5faW6hDGLTFJNsIpVNogZWZTgzspXO0/gIk3R9gIzpjn9gsFuNXZDPh1RumC1PUOGKUjIwWuS+Wvqkd
SqP5CJ6gH6d105kgqmlGbPvMvkxo8ZGJf/wVghyjKr6Av4MJYWLpf2XfN10XmdeIJoTSn5OYFFzCdZEOuI3eoUpnXZ9ppypqLedZosQ51hrsfE7iXLPdhB
ukdOI9WyPpN8sE9xU1g5nAwWpdyFCyWna6xJ6VWHNVpqNtBGMqeY7XrNJSijhbUZ31BFpt2o3AkcCmI1ZpjJiK3BLpK0mo3BJHYE31c2xNxKYsKSytgKdc
YI3qNitVoVn0GNJ2dgk6mN0IB5hBRcEFWViMgzS2k3qeX4/fQRmhfaRThLTKcSMerMOOoV8mHtdMM/arLxxhXX8E7pl2hTNQrGM0X8LG26N4GN5kvmIPWX
xVO5GWn0j8wXJHuEh1nDEIfVtbj6WwxtchSli/iKKggcdLZUbzbCUAYZ53QW83aSHGrPEF8SbekEzMOacsMsuiHVhBFD4fpTiThAmy4vYKbXXDFSIxnWHG
G21cY/9Nv+ja7MLCcT9b9TRCpJtL46Ny0zBidDlt5LKGUwmVsJ/MSi2jB8YdVLPUFmAbGdtIkQiI9tUNe7mkMpE6Rv2JGCw1edoo6RvBiypDyMT0121bFa
N0IC1p/mwejQyzfYU1qB46o+oJ5fVaUngKoQjlUysX4UOexeRj2pHd3OiNV9Sz6rN1lZyZStkHrYgCzht6LChtbV/LWfyMcLPlDYdOuJ0wZhzO8g0UC0Oq
6mrnZIS4u+teYSsRNrWd1POE92ZHTQYgxYBCPdHNJRxhhzsua11vGaFmpr7TyNm/EBe4xYRs2qyKEZ4is1HBAnRit2s/4jSiG+jkk2PM48ZnCRcZe0vVoM
06HmRlKmTNZJ1nzACFFViSKk2rJZZjTZhtRUpW94h3KdsVpmSQqrbQPqtQ8M7PBfyqxJbOhpsniRLe07gUxSJa6BAyQFsjXthWY4Pjb7ld4LXB0xvCSVkl
GjUFtO8ij+g4hh1kEdRhLJlGSJ9azRLntUFUHhrHtXI1khiihj7pItqgWrWhtO6TvghUEzlVfzIb2KUUWPoHiRozYeqInRntPxoCeS4mFnhTXBjvkUq042
1m9AX9G/kJ7oCWWu139MKKQ/rErULlPiXVTkGZTYrfe29j1H+DfG64HJDYRF815xDHd327BQ0+yw4pyisFTXgq5jiZOtruj48dAAG6kKth3F0jIalZ0fq3
z7fZXEp+z+UA7nVCH2elS9xXGeFez9XFetJG/e6ThpN9wlbBCtxN9XVS6Dn2/A0F4rhm/o41kRVOm0VNU2VtfmKl3oLFvfpTTQ1CQsbrqmv5d8xUhsg4SE
6MTdpU7CFNerobVykaW68G5FhYl3U4GrPOleJFNO0sbtcxkml7/OMLbPDCp8sJP6EF6ouU3j+7edz0bGNw4No1vlx3mbxwk8Dn0bF6TYRntDV4uGZEy2je
NVlya6Bx9hjFrbaW/CX2CnFcfN+L66z7TxfVd/K684pjzI2+syMP5yik3+00JDb6DG+yddaxz9TxGJr3Oj4dwvO++qfN70pn3Dpn7xOYEuGVVJ8XD+teUx
DuH5r6o9ijxDcx+kNihteFcrTlqUHuH6Ipa5fXrDmATT/A5cf0z0a+63tVMqGaG8SsNPj6+OCuNAfihppKWer/u5ntSwlm3NW5Km8N7arCa+ZeX3Y11DnS
IKY/PDUlw7X4iIT22qt2tUacd85eXQmg7v4zNUGtIkz+ccMPoSOsaYN3p6rpkgP2+UY73Sp2Goed7Ioo+nV0VsTUB48+rs0OC2VemuuvfKioKfVuZmSz4u
Ybg1ZxbC199XVA7s43lR3j5qx/ZMYP0ri/BpjZyNtrLxzw9IrG3Vbh8XyNFzP5/2NPKN193qq4cOOyQfDOiu3IQL7I490unkbf2KkvtGLMNdL9UtxIKYkf
f22KfQQVe7lOdhetFJDw68ZVAf1VZGEMOO4FJa9JIClKOPtJyPtfcKI6VG7+Fv1FVr5AkMNaP5+RR5jdw7JaivUH3HLFqp8FTquZi0Ip7IN3meOBz1YuH5
7jvnvl04diei0jXjYR/W1exQfKTbrsaU4HOBXJEn7GL1k2MiA6LTzgVRPR7GeAZ53BSuCmwmzT86vy0oZTQ5XtJjmP97Zc0xv7wj+o+z91n6E5+N02Inse
dyd33alX+UGhgZTbvI7RGtX7XX5faeL7pX8y33HOPfScqMbdXPT/GIDj6v7xpZE1UT4M+TFq8bDLfldT6QtH2fEpFPt7l0s183hxUczficvBzK7M52OxWW
fzDpi44Kc+jpNT7nOwJxYfeFiLslJvZf1HNn/bLUbPcp5JXLD0udumGstNxHzsutb4ZaO3JINz31C4T1WljUCOW7npPRJT4hN/fV3rUT5NRrhH+5yvM7Xe
j1+q6HgL4Xlp91JMelx/iqTdTJnZgFd27Ty/w4XH3jT19Jf/mq+uFLDNdX98sY9Ycxtx/Gjh7CxjY0obRk5nta8dL1kbb04vvts7rtaBS2ns8g8k2E2wZ3
39GkjbOeumNM7IO4Qw8b1cwz0oMpihz6/t7YybrI3EPzh2rsGqOS05rieILTKnTZ0OzoU9VsLZ670im35mrr951txLY2jD+7V1RcuDc673vtau5DvrZnuv
EwuHRbyg9/h96lROTRbS6G5WhP8BUp1k3q+a7coqt4SjEy2jWTl7tLMfKHGaLH3hdzl9d0NGc/PLrvgZKhu/a7oQ/NYmhPTICl4R1qy0R1D1UuNEwbkz93
bUrmUHW2rU+Uq9vmk18rveRbtBeWMyXURwnTFUH9Uvmv2dwVZi5zNmr5hhpL74wX+jJ5xupjm1lTGb6B+4RCxblcq0C1m1O7d78Se8epe1hIqAI04nR4OC
m9l4Z39f25efz1pzxpAdtaw719GIGGFPmWhNp1Qm1p8XIfV/v4NpdWx+pWBOvGbeFcfsupuDJwotxconOmXlu4LKdAev+7q0Hvoz5YDGpVaAoZVLRyfi/d
TG8645zbof3geOrh2IyRs8lPQ2cnMQ69BfHj5FjmXets78ktnA6jAvVi+mWpJR2Gic0bw2td+IwzruSLRrkZzbfqgnjOeGORF9MzX31aV1xEnMcWhJTjtQ
TtiOlDPscwNaZqxYXa/EZOBZ9F0rVyWJPb0cpZsaBHWvNfPNE97x+xWdM1KJoqzOa2XJOeBGGRJwZcgmwGm07e2PT2hq22O+unZcW23h+WrR7Ser809lDl
b9zWCmP55s8nKx1P6Z6/m/W2IM/ivFxXyME3Wi2sheUxPZ/N5riuNvE/+la1Q1z1c3kfaTXC/7j+8/+6Bhh+VvTGgqjEYz05/vx0tqepZ6fq+OO4ujG4eu
EfvuMX3PpR9dXFhQK1zYEtlp79mL663xlXw8Q2zIeurSVedEBiixzt5jb1x2l57mBVabWjRw4OlYkejWB3XZcl+Fz9xcAjkuiyptYY8xEPTvDULoHivenY
SMf9czE47uPDhpjJOod3henrfO59L7pKTWcHyolCgh3Ys1psqKvVDnBE6YkXW+qTGHBKd9w1In4oGdPasPYcwubI7R52plfFrFbPje23Y7sfoxUP/+m/6J
d/WXlZ+eYQcR83JoacdFS2wcfpygGyB+F+PD0P22C0bD3O45ChKn2f2pI18SB3G/9FpNPHUMK6b41+2Xg0l6PgyRf2B3s3m2R3FL6Su72+xdc4Qmml8WLr
yrajcXa3a29z615/NiRW/Dnv9OCEp5+bnswVx4IQdpGxF5hns3ySHwMKGintxULrw63eCy7cwg1XDln+vOdxiMjlKuJVe6nJ7Slbjd855D2ZoDUEH1jF17
GUnSnxWwPVhne3ZH3TPXB9fW1QRwVda11AAq4P/33utdOnr5sOLQe9zvEL/Pos7lqjlPuIo6nZM6PAfVDUFs0wMDBwuRapbJ+ektP/MTmacK7e5ExUlkX+
BrQ39Z6HQApuz64nrhw3lswdizrFB26JX/VP+HnPWtFAhrT1p4xcPuJQv59R/fyxqzvWjRfPP95/dJvc7Y9TQ8t6snKhJ5fnwhPEj7evDJjaN0Qd4SLdtL
HzVpu6UCxfHZ/Vpl0QjNS1NnFz+p72l0A+naDbXzlLHlIM4tkMRcRcT+t3rgrviiiUsbOuOuPF38tH8CHItnIOKps12KqeWfXcPWFCtV8jsreciuowcQ4U
fOqUvI3drnUi4J5AIP2Bky53we0QViNugDf/571hDRWSsl0XPIwT5m/v70j5jLnkwjguG2xlfbzgGch4lLtTsyDJ3mpHjyvJWz4mjxQSxn5GMi3iFTPpYa
V1UfHg49AQ/4m4neo99udWz+9zfP2naiN5SCAoeMuyUXFAuZew+W3P/XUyfYMrHuaYi4zgdf5jl70pPbLKRqR8HavDi5fVmNi2wWmFxvB8X+6dTZ4b01db
b7MT+Mvs1az/pD2diZsjzGCLExV05K6Wq+U9UtlBXfReKlUvQBUtPCSTEooLnYfGLm+JMHmz7DJpWSiRJtDdc6aM/Wtx7amg5jbNrArpkdFS1FPCg5r/sr
3XATRwTxLC/LeutZLkp6UsvK81Xbij4/gwfWy70vsI30yHe7t5Zt7hHSix3u23+ihbDMJmJ5h5tS+U3mTXCPt/osItc6bI7keYwvTIzhvvSGPeXX7e/rs1
ORVHpkX2ndUYzldk2Dre3bQKnZbPTlsoL6iO23zRlpc4V8bfsM1In0/QTtY6aLQAt+uzf2bCeOHwSZas/BGhBUTc1MGoPFMjROHr0dIPRq65ATzXN5ErPT
IstcZsuz64HJ0ge+73kCtL9ajtLrmmVzldEfm8Ci5E7Ptwrqe/w/zj1Dy+pCMsZHNHbp1mVVttWOnSlh1CfskSdVYgLLbH3ijTu22GcuQV43Xg2WaBcHBD
LrC/be3Z26w8njQsld9TMlW22UrizUnt/EWtyVyrmcTPM5bvD54pa2nzcbB3n1t42XUlhLfjcYJ16sz57RwaAw5KcS/fHWSLmcMdUn829/SQzPLSm5M7ux
cp0SmDdeqy8mz/T/wP
]],
  },
}
